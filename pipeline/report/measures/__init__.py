"""Measures of segmentations and of the run that made them.

averages    named averages over classes, and background
borders     window borders: steps across them, lonely false regions
evaluate    tables of one model and fusion
inference   windows evaluated and skipped
intervals   bootstrap intervals over groups
measures    Dice, IoU, average precision: names and columns
result      paths of what one model and fusion left
steps       steps between neighbouring pixels across lines
times       times and memory of the jobs
"""
