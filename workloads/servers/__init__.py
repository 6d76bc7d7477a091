"""Servers under test that come with soak: one file = one server, found by its name. See `workloads.server_catalog`."""
