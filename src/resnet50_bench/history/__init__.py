"""Folders of results -> entries, what is comparable, comparison, gate, fleet; prints nothing."""
