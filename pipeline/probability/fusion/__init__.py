"""Fusion of overlapping windows into one map, block by block.

accumulate   sums of the windows of a block, in memory or on a device
finish       division, rounding and the next pyramid level
fuse         the four fusions: sums and divisions
halo         halo exchange between neighbouring blocks
journal      finished blocks and halos of an unfinished store, on disk
logits       softmax and sigmoid of fused logits
memory_pool  memory reused from block to block
weights      Gaussian weights, and sums of weights
"""
