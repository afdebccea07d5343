"""Readiness for a GPU: a bundle of what a bare machine lacks, and what is measured there in eight minutes.

bundle    wheels for Python 3.12 and the images of IDRiD, in one folder of at most 60 MiB
measure   rates of inference and training against bare loops
"""
