"""What soak costs and how well it judges: every file is a command of its own."""
