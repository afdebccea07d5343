"""Pictures of the report: plots, overlays, contact sheets, patch maps."""
