"""A config file, checked, becomes the ordered trials of a run."""
