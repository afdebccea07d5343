"""Original pixels → comparable pixels: rescaling, enhancement or stain normalisation, and the region of interest."""
