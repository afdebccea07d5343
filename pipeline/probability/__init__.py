"""Sliding-window inference: a network over an image of any size, and its windows fused.

cluster     blocks of an image on the workers of a scheduler
fusion      weights, sums, halo exchange, division
one_pass    paths and numbers of one pass, opened where it is computed
plan        windows, and the block of the output that each belongs to
predict     maps of one image, from store to store
predictor   probabilities or logits of windows by a trained network
progress    progress of a pass
run         blocks of a pass, evaluated in bounded memory
views       flips and quarter turns, averaged
window      pixels of a window, and windows that are evaluated
"""
