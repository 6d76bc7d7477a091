"""Memory recorded by others, read as series: files, told apart by what is in them, and a Prometheus server."""
