"""Patch index: candidates of each image, sampling strategies, counts of truth in each patch, and the table of patches.

box_sums     box sums: pixels of truth and roi in many patches, in one pass
candidates   candidate table: every lesion component of every class of one image
expected     expected patches of each sampling, before a run
export       patch export: patches of an index read and written to a new folder
export_layouts   layouts of exported patches: image and mask files, or an nnU-Net data set
image        normalised store of one image, read in strips and tiles
rows         index rows of one image: grid, drawn, background and coverage patches
sampling     sampling strategies: positions, quotas, candidate pools
schema       columns, types and rules of the patch index
source       images that patches are cut from
structure    structure score of a patch: mean gradient
summary      summary of a sampling, for the metadata and the report
table        patch index of one data set, written and read
"""
