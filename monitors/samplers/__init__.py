"""One file = one sampler, found by its name."""
