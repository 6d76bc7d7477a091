"""Who holds what a process holds, read from inside: one file = one kind of thing. Standard library only."""
