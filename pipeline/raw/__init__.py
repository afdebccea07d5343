"""Raw images, from files to facts: lists of images, readers, fact sheets, and the table of images with its splits.

annotations    polygon annotations (GeoJSON, XML of ASAP), rasterised box by box
asap_features  ASAP features: groups and rings of the XML of CAMELYON
bits           significant bits of 16-bit pictures
checked        checked files: the findings of stage raw count while contents are unchanged
data_warnings  warnings about the data: kinds, remedies and sentences
datasets       data set adaptors: which files belong to which image
facts          fact sheets: size, digest and class pixel counts of one image
features       GeoJSON features: the class of each, the rings of its areas
formats        image readers: JPEG, PNG, TIFF and slides, any box at any level
phantom        phantoms: synthetic images with known truth
inspection     inspection of a folder without a description
pixels         pixels of one image, from its file or its phantom
sheet_warnings   warnings of fact sheets: counts of likely mistakes
splits         patient splits, cross-validation folds, near-duplicates
table          table of images: one row per image, with split and fold
truth          truth masks of one image, any box on any grid
truth_values   value counts of mask and label files: the cut of a mask, undeclared labels
turns          EXIF turns of an image and its truth files
"""
