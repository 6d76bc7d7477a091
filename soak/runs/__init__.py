"""A run as seen by who started it."""
