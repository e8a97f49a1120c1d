"""Every engine on every stack that is set up, against each other; what that found is remembered for auto."""
