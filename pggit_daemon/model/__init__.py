"""Values that several of the folders share."""
