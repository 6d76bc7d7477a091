"""What this node offers to a soak, and what to do about what it lacks. One file = one concern.

Every finding is read or tried, none is guessed; what cannot be read is said to be unknown.
"""
