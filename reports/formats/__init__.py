"""One file, one report format. See `reports.catalog`."""
