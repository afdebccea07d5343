"""Sampling strategies of the patch index: where patches lie, how many of each class, and in which order they are drawn.

balanced         balanced sampling: positives and negatives in an exact ratio, from candidate pools
candidate_pool   candidate pool of an image: boxes ordered by weighted sampling without replacement
choose           draw from the pools of all images, within quotas per image and group
coverage         coverage of lesions: components that no patch touches, and the patches added for them
frequency        class-frequency compensation: class quotas by largest remainder, shares of the images
guided           guided sampling: anchors per class with jitter, and background
hard_negatives   hard negatives: patches around false positives of an earlier model
offer            candidate pools of one image for balanced sampling
positions        positions of patches: sliding-window grid, anchors with jitter, background
quota            quotas and boxes of each training image: what a strategy decides
"""
