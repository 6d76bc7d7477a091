"""The only readers of the machine; where they read is a parameter."""
