"""Runs in time → a history: `soak history`."""
