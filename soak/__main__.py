"""`python -m soak`, and what the command `soak` begins with."""

from __future__ import annotations

import contextlib
import sys


def main() -> int:
    """Run the command line; Ctrl-C is no traceback, however early it comes."""
    try:
        from soak import cli

        return cli.main()
    except KeyboardInterrupt:
        sys.stderr.write("soak: interrupted\n")
        return 130
    except Exception as error:  # noqa: BLE001  (what fails before the command line does: a package, memory, threads)
        with contextlib.suppress(OSError, AttributeError):
            sys.stderr.write(f"soak: cannot begin: {type(error).__name__}: {ascii(str(error))[1:-1][:2000]}\n")
        return 4


if __name__ == "__main__":
    sys.exit(main())
