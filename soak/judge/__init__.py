"""Judges trials and runs."""
