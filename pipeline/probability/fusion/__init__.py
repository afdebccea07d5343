"""Fusion of overlapping windows.

accumulate   sums of the windows of a block, in memory or on the device
buffers      memory of finished blocks, used again
finish       division, pyramid levels and rounding of a block
fuse         weights of each fusion, and sums completed in fixed order
halo         halo exchange between blocks, and the journal of finished ones
logits       probabilities from fused logits
"""
