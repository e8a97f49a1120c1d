"""A spec -> samples and evidence; the only room that imports torch."""
