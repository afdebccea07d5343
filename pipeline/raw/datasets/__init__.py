"""Data set adaptors: the files of each image, for every known folder layout.

changed_files  changed input files, detected by content
corrections    corrections of truth: polygons that replace the truth of some images
digestpath     adaptor of the released DigestPath 2019 tissue folder
entry          record of one image and its truth files; checks of a list of images
files          visible files below a root; what cannot be read is an error
folder         adaptor of any folder, by patterns of file names
headers        sizes from file headers and checks of them, before a run
idrid          adaptor of the released IDRiD segmentation folder
left_over      files, rows and images left over by a list of images, by kind
listing        list of the images of a data set, with patient and centre
parts          further files of a slide, beside the named one
pictures       sizes of pictures from the table of images, for the memory model
tables         tables of group, centre and split by image id, and their match with the images
unmatched      patterns that find nothing, and the files nearest to what was meant
"""
