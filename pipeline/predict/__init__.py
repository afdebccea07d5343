"""Prediction of one new image by a trained model, through the functions of the stages.

as_trained      normalisation as of the images that the model was trained on
new_image       one file to maps, masks and outlines
original_grid   masks on the pixel grid of the file
run_settings    parameters and thresholds of the run that the model came from
"""
