"""What runs in the child process: streams, models, planted faults. Needs numpy and a framework."""
