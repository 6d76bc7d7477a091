"""What servers of `workloads/servers/` share: how one starts in any interpreter, and the model that it serves."""
