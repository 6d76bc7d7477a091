"""One file, one planted fault. See `workloads.protocol.contract.Workload`."""
