"""Batch sizes x cores per instance x precisions -> the best points, measured by warm workers."""
