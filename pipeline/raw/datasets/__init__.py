"""Data set adaptors: which files belong to which image, for every layout of folders that is known.

changed_files  input files that changed, told by their content
corrections    corrections of truth: polygons that replace that of some images
digestpath     adaptor of the released DigestPath 2019 tissue folder
entry          record of one image and its truth files; checks of a list of images
files          visible files below a root; what cannot be read is an error
folder         adaptor of any folder, by patterns of file names
headers        sizes from file headers and checks of them, before a run
idrid          adaptor of the released IDRiD segmentation folder
left_over      what a list of images leaves over: files, rows and images, by kind
listing        list of the images of a data set, with patient and centre
parts          files that the data of a slide lie in, beside the one that is named
pictures       sizes of pictures from the table of images, for the memory model
tables         tables of group, centre and split by image id, and how far they fit the images
"""
