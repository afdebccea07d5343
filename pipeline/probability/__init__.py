"""Sliding-window inference: a network slid over an image of any size, and its overlapping windows fused.

cluster         workers of a dask.distributed scheduler
fusion          sums of windows, halo exchange between blocks, division and rounding
map_store       stores of maps with their notes
plan            windows and blocks, in integers
predict         the stage for one image: Zarr in, Zarr out
predictor       a trained network on a device
pyramid_writer  finished blocks into every level of a store
sliding_window  one pass over the windows of an opened image: read, predict, sum, divide, write
spec            specification of a pass, for workers
task_graph      task graph of the blocks for Dask, and threads
views           flips and turns, averaged
window          pixels of windows, and windows without roi
"""
