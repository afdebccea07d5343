"""Trials of reports and of the viewer in a browser: what is seen and done there, compared with the stores.

__main__   the viewer, from its server: layers, opacity, classes, 1:1, panes, Tab
files      a report and a page of an image, from disk: tables, layers, names with markup, axe-core, Tab
overview   first overview of large masks
seen       what screenshots show, compared with the stores
"""
