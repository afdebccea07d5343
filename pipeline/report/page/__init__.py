"""The HTML page: its sections, tables and templates' content."""
