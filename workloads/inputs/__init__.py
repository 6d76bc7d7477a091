"""Sources: what a workload's steps are fed with. One file here is one source, found by its name.

A distribution of a third party adds one through an entry point of the group `soak.sources` that names such a module.
The module imports neither numpy nor a framework before `open_source` is called, as the supervisor reads its options.
`workloads.protocol.source` says what it must define; `workloads.sources` finds, checks and opens sources.
"""
