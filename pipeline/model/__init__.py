"""How does a network learn from the patch index? Networks, losses, changes of patches, training, and the way back.

``network`` (uint8 patches in, logits out) · ``loss`` (weighted terms) · ``targets`` (truth planes → what is learned) ·
``augment`` (random changes, addressed) · ``rows`` (which patches train, which validate) · ``order`` (which patch when) ·
``patches`` (straight from Zarr) · ``scores`` (pooled Dice and IoU) · ``module`` (the steps) · ``session`` (how torch is
set up) · ``fit`` (the door) · ``checkpoint`` (the finished model).
"""
