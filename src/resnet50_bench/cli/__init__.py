"""A command line -> one call of another room, and its printed outcome. Each command has a file."""
