"""What `soak analyze` reads, told by content: one file = one format.

A format is a module with a docstring whose first line says what it is, and

- `EXAMPLE`: a line or two of it, for docs;
- `sniff(begins)`: whether a source that begins so is of it. No two formats say so of the same source;
- `read(source, request)`: its traces, one for each entity. What is none raises `UsageError`.

`delimited` takes what no other does.
"""
