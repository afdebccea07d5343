"""Viewer of results in a browser: a server for this machine only that renders tiles directly from the stores.

address     access control: the token of the address, and the name of the host
catalogue   data sets, images and results in a folder
gallery     layers of images and results, opened once
originals   images before normalisation, from the files in the configuration
pages       pages of data sets, of images, and of one image with its results side by side
server      answers to GET and HEAD
static      files of the results folder, whole or a range of their bytes
tiles       layers of an image, read at any level and rendered as JPEG or PNG
"""
