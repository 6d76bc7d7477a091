"""One file = one subcommand, found by its name."""
