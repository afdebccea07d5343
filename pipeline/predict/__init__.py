"""Prediction of one new image by a trained model, through the functions of the stages."""
