"""How probable is each class at each pixel? A network slid over an image of any size, and its windows fused.

``plan`` says in integers which windows there are and which block of the output each one belongs to, ``fuse`` adds
windows and divides once, ``overhang`` keeps on disk what a block lends to its neighbours, ``run`` walks the blocks
with Dask, ``window`` reads pixels and applies the network, ``predict`` is the door: Zarr in, Zarr out.
"""
