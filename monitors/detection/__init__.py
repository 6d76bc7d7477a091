"""Samples become series, findings and a verdict."""
