"""Pinned requirements -> an environment that measures."""
