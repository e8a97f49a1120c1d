"""Words -> one call of a room, its outcome printed; a file a command."""
