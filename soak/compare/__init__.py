"""Runs set against each other: which trials may be compared, what each of them measured, and what is said of it."""
