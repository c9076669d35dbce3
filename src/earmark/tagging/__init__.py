"""The registered model on files, folders, long recordings and streams."""
