"""Measures of segmentations: Dice, IoU, average precision, bootstrap intervals, window borders.

arms        measures and paired differences of the arms of an experiment
average_words   words for the named averages
averages    named averages over classes and images
borders     seam error at window borders, and lonely false positives, per fusion
coarse_places   places of frequent mistakes, in a small image: vessels, blank, uneven, rim
error_places   errors of each class by place, and by distance from window borders, block by block
errors      table of errors by place
evaluate    metrics of one model with one fusion, per image and per class
evaluated   images on which a model is measured
group_sums  sums of groups (patients) from which every measure of a class follows
image       measures of one image on one grid
image_rows  rows of measured images: per class, per lesion, FROC
intervals   bootstrap confidence intervals, and precision-recall curves
lesion_wise   lesion-wise measures: found, false, FROC, a row per lesion
mean_intervals   bootstrap intervals of averages over classes, with the same groups drawn for each
mismatches  images whose truth and maps disagree as if the masks belonged to another image
model_folder   measures in the folder of a model, beside its card
original_grid   grid of the original image: truth, masks and probabilities on it
out_of_fold   validation of an ensemble of folds, by maps of members that had not seen an image
paired      paired differences of two results, image by image
parts       measures of each centre and each group
steps       steps between neighbouring pixels along every line of a map
strata      lesions found by size, contrast, elongation and isolation, in thirds
summary     summary rows of a split: one per class or average, and measure
surfaces    distances between borders: columns of an image, pooled and mean over images
times       seconds and memory of the jobs
"""
