"""Runs trials: processes, sampling, time."""
