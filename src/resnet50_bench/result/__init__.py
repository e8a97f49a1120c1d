"""Samples -> statistics, checks, a verdict, one versioned result and its log text."""
