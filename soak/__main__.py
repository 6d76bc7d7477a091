"""`python -m soak`."""

from __future__ import annotations

import sys

from soak.cli import main

sys.exit(main())
