"""Offline preprocessing, patch datasets, training and chunked inference for large medical images.

Seven words in the order of the data flow, each a folder here, a pair of files in ``stages/``, a folder of results and a
folder of tests:

raw            image files → lists of images, readers, fact sheets, splits
normalized     original pixels → comparable pixels, truth and region of interest, as OME-Zarr
index          truth → candidate tables and patch indexes, as Parquet
model          patch index → trained weights, card, history
probability    model and image → fused probability maps
segmentation   probability maps → thresholds, label maps, polygons, lesions
report         everything → metrics and the page to look at

On the ground floor, beside them: ``errors config manifest settings words`` (what may be said, and in which words),
``seeds`` (randomness), ``geometry memory disk`` (arithmetic), ``optical_density components metrics averages`` (shared
numerics), ``partial provenance stores shards blosc_blocks finished whole`` (how results reach the disk), ``jobs`` (what
surrounds one call of a stage), and ``cli``, the only module that prints.
"""
