"""What the supervisor and a worker agree on."""
