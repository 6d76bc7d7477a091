"""Memory recorded by others, read as series: one file here is one kind of source, found by its suffix or option."""
