"""Measures of segmentations: Dice, IoU, average precision, intervals, window borders."""
