"""The whole contract between the launcher and its workers: what they say, and the channel that carries it."""
