"""Viewer of results in a browser: a server of this machine alone that renders tiles straight from the stores.

address     who may ask: the token of the address, and the name of the host
catalogue   data sets, images and results that lie in a folder
gallery     layers of images and results, opened once
originals   pictures before normalisation, of the files that the configuration names
pages       pages of data sets, of images, and of one image with its results side by side
server      answers to GET and HEAD
static      files of the results folder, whole or a range of their bytes
tiles       layers of an image, read at any level and rendered as JPEG or PNG
"""
