"""The steps of every pipeline: one folder each, a typed container contract and a few lines that call the library."""
