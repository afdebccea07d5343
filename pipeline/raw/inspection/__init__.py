"""Inspection of a folder that nobody has described: its layout, a fingerprint of its data, and a manifest to start from.

contents     contents of files of one kind: pictures, masks or label images, slides, polygons
families     families of files: names that differ in the image alone
fingerprint  fingerprint of a data set: sizes, world, lesions
layout       layout of a folder: patterns of images and truth, classes, patients
manifest     manifest of an inspected folder, with its reasons and open lines
own_results  results of this package, which are no data
settings     parameters for an inspected folder, with their reasons
world        world of pictures, fundus or H&E, from how they look
"""
