"""Trial of GeoJSON with QuPath's own reader, writer and rasteriser, without its window.

__main__   compile, read results, edit as a user would, take the edited files as corrections
Trial.java  the part that calls QuPath
"""
