"""HTML page of a data set: its sections, their tables, and templates.

border_section   window borders
content          everything that the template names
page             the page of one data set, and the one over all
patch_tables     tables of a patch index
render           HTML from a template
sections         sections on images, patches, training and metrics
stain_section    stains
stains           reading of stain estimates
tables           cells and tables
terminal         the same tables on a terminal
times_section    times and memory, in a file of its own
"""
