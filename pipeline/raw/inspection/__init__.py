"""Inspection of a folder without a description: its layout, a fingerprint of its data, and a manifest to start from.

classes      classes of the truth, from its names and values
contents     contents of files of one kind: pictures, masks or label images, slides, polygons
families     families of files: names that differ only in the image
fingerprint  fingerprint of a data set: sizes, modality, lesions
formats      formats of truth: files that differ in nothing but their suffix, as one class
layout       layout of a folder: patterns of images and truth, classes, patients
manifest     manifest of an inspected folder, with its reasons and open lines
matching     match of truth and images by their names
own_results  results of this package, which are not data
settings     parameters for an inspected folder, with their reasons
strays       stray values of masks: few pixels or thin rims beside the value that holds the foreground
truth_notes  notes on truth: stray values, two ways to write a mask, empty and unread files
values       values of truth files as the readers see them, with what holds them
world        modality of images, fundus or H&E, from their appearance
"""
