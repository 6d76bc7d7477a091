"""One file, one workload: architectures, planted faults and lookalikes. See `workloads.workload.Workload`."""
