"""Fusion of overlapping windows into one map, block by block.

accumulate   sums of the windows of a block, in memory or on a device
finish       division, rounding and the next pyramid level
fuse         the four fusions: what is added, and what divided
halo         halo exchange between neighbouring blocks
journal      finished blocks and halos of an unfinished store, on disk
logits       softmax and sigmoid of fused logits
memory_pool  memory that goes from block to block
weights      Gaussian weights, and sums of weights
"""
