"""The two architectures: one file, one framework that they are written in, by its name.

A file defines `build(architecture, setup, sizes, keep_graph) -> Network` (`workloads.protocol.execution`). Other
packages add their own through the entry-point group `soak.networks`.
"""
