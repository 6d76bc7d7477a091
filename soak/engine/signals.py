"""Names of signals, and children that were stopped by one."""

from __future__ import annotations

import os
import signal


def signal_name(number: int) -> str:
    """SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def is_stopped(pid: int) -> bool:
    """Whether a child of ours was stopped (SIGSTOP, SIGTSTP) and does not go on."""
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
