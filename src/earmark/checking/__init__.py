"""What a run needs, tried at once from where it is asked; each line says what is so, and the remedy."""
