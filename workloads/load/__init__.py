"""Load on a server under test: what the clients of `workloads/clients/` share. Standard library only."""
