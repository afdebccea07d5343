"""Tables of the page and of the terminal.

cells      cells and tables; numbers written so that they cannot be misread
confusion   confusion matrix of classes, IoU of labels
error_places   places of false positives, and errors by the distance from window borders
experiments   arms side by side, their classes, differences, published figures
hardest    hardest patches and labels in doubt, with links to their places
image_wise   image-wise AUC and calibration
images     images, and images per split
lesions    lesion-wise scores, with the rule of matching
measured   cells of measures: value, interval, why there is none
metrics    classes, averages, models and fusions side by side
parts      centres, and groups of several images
patches    patch index: counts, truth shares, missed lesions, spread
results    every image: facts, scores, flags; the worst first
stains     stain estimates: swatches, angles, amounts
strata     lesions found by size, contrast, elongation and isolation
surfaces   boundary measures, with their rule
terminal   tables on a terminal
windows    windows evaluated and skipped, and truth that no window reached
"""
