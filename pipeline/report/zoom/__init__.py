"""Deep zoom: every layer of an image as picture files of all its levels, and the page that shows them.

files    picture files of a stack of layers: whole levels, or tiles of a large image
levels   halving pyramid of a raster, strip by strip
page     page of one image, and its folder
size     files and bytes of pages before they are written
stacks   stacks of layers: original, normalised, truth, prediction, errors, probability
worst    pages of the worst images, the best and the median one, by the measures of one result
"""
