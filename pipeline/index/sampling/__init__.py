"""Sampling strategies of the patch index: positions of patches, their number for each class, and the order of drawing.

balanced         balanced sampling: positives and negatives in an exact ratio, from candidate pools
balanced_pools   candidate pools of one image for balanced sampling
candidate_pool   candidate pool: boxes in the order of weighted sampling without replacement
coverage         coverage of lesions: components that no patch touches, and the patches added for them
draw             draw from the pools of all images, in a ratio and within quotas
easing           relaxation of rules where one side of a balanced sampling is short
frequency        class-frequency compensation: class quotas, shares of the images
guided           guided sampling: anchors per class with jitter, and background
hard_negatives   hard negatives: patches around false positives of an earlier model
plan             plan of a sampling: the patches of each training image
positions        positions of patches: sliding-window grid, anchors with jitter, background
quota            quotas: apportionment by largest remainder, limits per image and group
"""
