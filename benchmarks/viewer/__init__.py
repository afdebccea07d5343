"""Trial of the viewer in a browser: layers, opacity, classes, 1:1 and panes, by screenshots compared with the stores.

__main__   the trial
"""
