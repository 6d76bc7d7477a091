"""One file, one model. See `workloads.protocol.contract.Workload`."""
