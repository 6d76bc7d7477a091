"""Clients of servers under test: one file = one client, found by its name. See `workloads.load.options`."""
