"""`python -m soak`, and what the command `soak` begins with."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; Ctrl-C is no traceback, however early it comes."""
    try:
        from soak import cli

        return cli.main()
    except KeyboardInterrupt:
        sys.stderr.write("soak: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
