"""One file, one workload that only looks like a leak."""
