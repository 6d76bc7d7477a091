"""The campaign's command line: `python -m tests.torture CAMPAIGN`."""

from __future__ import annotations

import sys

from tests.torture.command import main

if __name__ == "__main__":
    sys.exit(main())
