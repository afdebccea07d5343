"""Phantoms: synthetic fundus photographs and H&E images with known truth, the built-in samples."""
