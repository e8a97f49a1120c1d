"""Which cases run where: needs only the standard library, never imports torch."""
