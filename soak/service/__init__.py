"""The service: schedules runs on one node, and tells people and Prometheus how they go."""
