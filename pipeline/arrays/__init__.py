"""Arrays: pure functions over them that several stages need.

components        connected components of a mask of any height, strip by strip
distance          signed distance to the border of a mask
label_map         one class a pixel where classes overlap, or the most probable one
metrics           counts, Dice, IoU, average precision
optical_density   optical density of stained tissue and its inverse
padding           padding of images and targets
raster            images, masks and maps that are read box by box
resample          images and masks on a grid of another size
trivial           trivial answers, a class nowhere or everywhere, by counts alone
"""
