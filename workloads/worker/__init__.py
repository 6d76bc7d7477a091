"""The worker: starts, drives a workload, tells the supervisor."""
