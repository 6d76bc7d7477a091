"""What can be wrong with an order to the child."""

from __future__ import annotations


class StreamError(Exception):
    """A stream that cannot be made or read; the message names what is wrong and what was expected."""
