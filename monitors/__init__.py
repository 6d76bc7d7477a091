"""What is observed and what it means. Knows nothing of the processes or files of soak itself."""
