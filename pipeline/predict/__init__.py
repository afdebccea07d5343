"""Prediction of one new image by a trained model, through the functions of the stages.

new_image       one file to maps, masks and outlines
normalise       one file to a normalised store
original_grid   masks on the pixel grid of the file
recipe          normalisation of a model's images, or one made of settings
run_settings    parameters and thresholds of the run that the model came from
"""
