"""A campaign against soak itself: kills, damage and hostile input, in numbers. Run by `make torture`."""
