"""Results enter, one HTML file that needs nothing else leaves."""
