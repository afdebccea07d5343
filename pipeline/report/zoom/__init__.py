"""Deep zoom: every layer of an image as image files of all levels, and the page that shows them.

files    picture files of a stack of layers: whole levels, or tiles of a large image
levels   halving pyramid of a raster, strip by strip
page     page of one image, and its folder
size     files and bytes of pages before they are written
stacks   stacks of layers: original, normalised, truth, prediction, errors, probability
worst    pages of the worst, the best and the median image, by the measures of one result
"""
