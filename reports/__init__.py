"""A record, finished or still running, made readable."""
