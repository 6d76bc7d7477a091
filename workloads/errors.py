"""What can be wrong with an order to the child, and how its work may end."""

from __future__ import annotations


class DeviceError(Exception):
    """A device that the framework cannot use; the message names both, why, and what to do."""


class PrecisionError(Exception):
    """A precision that an execution does not compute in; the message names both, and what was expected."""


class StreamError(Exception):
    """A stream that cannot be made or read; the message names what is wrong and what was expected."""


class FinishedError(Exception):
    """Not an error: the workload has done all that it had to do; the message says how that was known."""


class CompilerError(Exception):
    """A compiler that is not there, or that failed; the message says which, and what to install or what it said."""
