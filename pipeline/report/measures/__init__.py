"""Measures of segmentations: Dice, IoU, average precision, bootstrap intervals, window borders.

averages    averages over classes and images that carry their names
borders     seam error at window borders, and lonely false positives, per fusion
evaluate    metrics of one model with one fusion, per image and per class
inference   windows evaluated and skipped, and truth that no window reached
intervals   bootstrap confidence intervals, and precision-recall curves
measures    summary rows: one per class or average, and measure
result      paths of all results that the report reads
steps       steps between neighbouring pixels along every line of a map
"""
