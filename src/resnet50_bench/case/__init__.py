"""User input -> one frozen, valid Case."""
