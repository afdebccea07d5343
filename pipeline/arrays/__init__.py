"""Pure functions over arrays that several stages need, and the raster that they read.

components       connected components of a mask of any height, strip by strip
label_map        one label a pixel from overlapping class masks, by priority
metrics          counts, Dice, IoU, precision, recall, average precision
optical_density  optical density of stained tissue and its background intensity
raster           an image, mask or map of any size, read box by box
resample         pictures and masks on a grid of another size
"""
