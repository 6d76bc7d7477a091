"""What was compiled is kept for the next trial: in the cache folder of TorchInductor, by what it was made from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from workloads.errors import CompilerError


def kept(kind: str, made_from: str, make: Callable[[Path], object]) -> Path:
    """The file of that kind made from that text; made now if it is not there yet.

    The folder is `$TORCHINDUCTOR_CACHE_DIR/soak`, by default in the temporary folder, as TorchInductor has it.

    Args:
        kind: how its name ends, such as `.pt2`.
        made_from: everything that it depends on.
        make: writes it to a path.
    """
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    folder = Path(cache_dir()) / "soak"
    folder.mkdir(parents=True, exist_ok=True)
    import hashlib  # brings OpenSSL, which a supervisor that reads this does without

    path = folder / f"{hashlib.sha256(made_from.encode()).hexdigest()[:32]}{kind}"
    if not path.exists():
        # Trials that run side by side may make the same: each puts a whole one in place.
        with tempfile.TemporaryDirectory(dir=folder) as own:
            made = Path(own) / path.name
            make(made)
            os.replace(made, path)  # noqa: PTH105  (one that is there is replaced too)
    return path


def missing() -> str:
    """What there is not of what compiles, with what to do; empty where all of it is there."""
    try:
        compiler()
    except CompilerError as error:
        return str(error)
    return ""


def compiler() -> str:
    """The C++ compiler: `CXX`, or g++.

    Raises:
        CompilerError: it is not there.
    """
    name = os.environ.get("CXX", "g++")
    if found := shutil.which(name):
        return found
    raise CompilerError(f"{name!r}, a C++ compiler, is not installed: install g++, or name another in CXX")
