"""Words -> one frozen, valid Case."""
