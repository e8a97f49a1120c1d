"""Configurations of a case, measured by turns: words -> sides -> rounds -> ratios with their intervals."""
