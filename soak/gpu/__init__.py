"""GPUs as soak deals with them: who reads them, who has one, and what happens to them. One file = one concern."""
