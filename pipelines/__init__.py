"""How steps chain, where they run, and the command line."""
