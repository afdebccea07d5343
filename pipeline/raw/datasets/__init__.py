"""Dataset adaptors: which files belong to which image, for every layout of folders that is known."""
