"""A user's own code as a workload, with no file of ours."""
