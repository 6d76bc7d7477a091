"""What soak costs and how well it judges: files with a `main` are commands of their own."""
