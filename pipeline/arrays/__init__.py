"""Arrays: pure functions over arrays that several stages need.

calibration       reliability curve and calibration errors of probabilities
component_sums    connected components with sums over their pixels, strip by strip
components        connected components of a mask of any height, strip by strip
confusion         confusion matrix over labels
contrast          grey levels of regions and of the rings around them
distance          signed distance to the border of a mask
holes             holes of regions, strip by strip
label_map         one class per pixel: by priority where classes overlap, or the most probable one
matching          lesion-wise matching of prediction and truth, and FROC
metrics           counts, Dice, IoU, average precision
optical_density   optical density of stained tissue and its inverse
padding           padding of images and targets
raster            images, masks and maps, read box by box
resample          images and masks on a grid of another size
roc               area under the ROC curve, of pixels or of images
runs              runs of a mask, and their union into connected sets
shapes            shapes and values of regions: box, elongation, contrast, probabilities
surface           distances between the borders of prediction and truth
trivial           trivial baselines, a class nowhere or everywhere, from counts alone
"""
