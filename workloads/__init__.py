"""What runs in the child process: streams, models, planted faults. Needs the standard library, numpy and a framework."""
