"""Claims about frameworks, each with the experiment that answers it: `soak claims`."""
