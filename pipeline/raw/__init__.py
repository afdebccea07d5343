"""Image files → lists of images, readers, fact sheets, and the table of images with its splits."""
