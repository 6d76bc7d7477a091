"""What a trial may touch of the file system: Landlock, applied by the child to itself before a framework is imported.

A trial runs as the user that soak runs as, so that its memory can be sampled; what keeps it from rewriting the record,
or reading a key of the service, is the kernel. Writing is allowed beneath the paths it is given (temporary folders,
caches, devices) and nowhere else. Reading is allowed everywhere but beneath what is hidden: Landlock knows no
exceptions, so everything beside each hidden path, up to the root, is allowed one by one; what is made later directly
in one of those folders cannot be read by this trial. Names can be listed everywhere. From ABI 6 on it can send no
signal, and reach no abstract socket, outside its own process tree; it never can trace a process there. Trials of
several members may reach abstract sockets: NCCL hands memory of a GPU from rank to rank through them.

Standard library only, and free of every other module of ours: it runs first. Reference: landlock(7).
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

VARIABLE = "SOAK_SANDBOX"
"""Environment variable that carries the order to the child."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _PATH_BENEATH, _NO_NEW_PRIVS = 1, 1, 38
_WRITE_FILE, _READ_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 2, 1 << 14, 1 << 13
_REMOVE, _MAKE, _MAKE_DEVICE = 0b11 << 4, 0b1_0111_1 << 7, 1 << 6 | 1 << 11
_SOCKETS, _SIGNALS = 0b01, 0b10
"""What is scoped."""


class SandboxError(Exception):
    """It cannot be applied here; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the child does to itself. Paths are absolute and hold no symbolic link."""

    writable: tuple[str, ...]
    """Files and folders that it may write, with all that is beneath; what is not there is left out."""
    hidden: tuple[str, ...] = ()
    """Files and folders that it may not read, but for what lies beneath a writable one."""
    sockets: bool = False
    """Whether it may reach abstract sockets of others."""


_said = "off"


def said() -> str:
    """What holds this process: `landlock N`, or `none` and why, or `off`."""
    return _said


def to_text(order: Order) -> str:
    """For the environment variable."""
    return json.dumps(asdict(order), separators=(",", ":"))


def from_text(text: str) -> Order:
    """Read an order back; what `to_text` wrote comes back equal."""
    body = json.loads(text)
    return Order(tuple(body["writable"]), tuple(body["hidden"]), body["sockets"])


def enter(environ: Callable[[str, None], str | None] = os.environ.pop) -> None:
    """Apply the order that was given, if one was. A kernel that cannot is no reason not to soak: `said` tells."""
    global _said
    text = environ(VARIABLE, None)
    if text is None:
        return
    try:
        order = from_text(text)
        # Its own threads are named through procfs. The link /proc/self would lead elsewhere for each child.
        own = f"/proc/{os.getpid()}"
        _said = f"landlock {apply(replace(order, writable=(*order.writable, own)))}"
    except SandboxError as error:
        _said = f"none: {error}"


def abi() -> int:
    """The version of Landlock that this kernel has.

    Raises:
        SandboxError: it has none, or it is turned off.
    """
    try:
        return _call(_CREATE, None, 0, _VERSION)
    except OSError as error:
        raise SandboxError(f"this kernel offers no Landlock: {os.strerror(error.errno or 0)}") from error


def apply(order: Order) -> int:
    """Hold this thread, and all that it starts from now on, to an order; the version of Landlock that does.

    Raises:
        SandboxError: this kernel cannot; nothing was changed.
    """
    version = abi()
    handled, writing = _rights(version, bool(order.hidden))
    scoped = _SIGNALS | (0 if order.sockets else _SOCKETS)
    attributes = struct.pack("=QQQ", handled, 0, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    try:
        ruleset = _call(_CREATE, attributes, len(attributes), 0)
    except OSError as error:
        raise SandboxError(f"Landlock: the rules cannot be made: {os.strerror(error.errno or 0)}") from error
    try:
        for path in order.writable:
            _allow(ruleset, path, writing | (_READ_FILE & handled))
        if order.hidden:
            for path in readable(order.hidden):
                _allow(ruleset, path, _READ_FILE)
        _prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        _call(_RESTRICT, ruleset, 0)
    except OSError as error:
        raise SandboxError(f"Landlock: the rules cannot be put in force: {os.strerror(error.errno or 0)}") from error
    finally:
        os.close(ruleset)
    return version


def _rights(version: int, hides: bool) -> tuple[int, int]:
    """What is forbidden unless allowed, and what writing is."""
    writing = _WRITE_FILE | _REMOVE | _MAKE
    writing |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    return writing | _MAKE_DEVICE | (_READ_FILE if hides else 0), writing


def readable(hidden: Iterable[str], listing: Callable[[Path], Iterable[Path]] | None = None) -> Iterator[str]:
    """The paths whose trees together are everything but the hidden ones.

    Args:
        hidden: absolute paths without symbolic links; they need not exist.
        listing: what lies directly in a folder; symbolic links left out, as they lead to what is allowed or is not.
    """
    away = {Path(path) for path in hidden}
    walked = {parent for path in away for parent in path.parents if not away & {parent, *parent.parents}}
    for folder in sorted(walked):
        for path in (listing or _listing)(folder):
            if path not in away and path not in walked:
                yield str(path)


def _listing(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from (folder / entry.name for entry in entries if not entry.is_symlink())
    except OSError:
        return  # gone, or not ours to list: then what is in it is not read either


def _allow(ruleset: int, path: str, rights: int) -> None:
    """What is not there, or may not be entered, needs no rule. A link is not followed: it could lead anywhere."""
    try:
        beneath = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        kind = os.fstat(beneath).st_mode
        if stat.S_ISLNK(kind):
            return
        if not stat.S_ISDIR(kind):
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        # The attribute is a packed structure of 64 and 32 bits.
        _call(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, beneath), 0)
    finally:
        os.close(beneath)


def _call(number: int, *arguments: bytes | int | None) -> int:
    """A system call that this libc may have no name for."""
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(int(_LIBC.syscall(ctypes.c_long(number), *given)))


def _prctl(*arguments: int) -> int:
    return _checked(int(_LIBC.prctl(*(ctypes.c_ulong(a) for a in arguments))))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


_LIBC = ctypes.CDLL(None, use_errno=True)
