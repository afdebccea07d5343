"""Pictures of the report: overlays, charts, contact sheets, patch maps.

bars             bar charts of a patch index
chart            charts as Vega-Lite: common parts, pictures for light and dark pages
colours          colours of a page and of classes
curves           curves of a chart, and the nearest point under the pointer
differences      dots of the differences of images, one row per arm
figures          curves and dots of scores: training, precision-recall, results side by side
gallery          images whose results are shown: overlays and crops
index_pictures   contact sheet and patch maps of an index, for the page or for a folder
lettering        text on pictures
originals        original pictures of images, before normalisation
overlays         overlays: outlines in class colours, errors, heat map
pairs            pictures of an image before and after normalisation
patch_map        patch map: boxes over an image, and the number of patches at each place
patch_sheet      contact sheet of the patches of an index
reduce           reduction of masks and errors to the pixels of a picture
reliability      reliability plot of probabilities
scatter          scatter plot by centre, of stains
store_pictures   pictures of stores, from the right level of the pyramid; JPEG files
"""
