"""Video as a source: what the sources `synthetic` and `file` share, and where their frames come from."""
