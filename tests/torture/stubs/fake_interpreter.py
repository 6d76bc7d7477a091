"""An interpreter that is none: says on the worker's pipe what the file in TORTURE_SCRIPT holds, and ends.

Each line of the file is a JSON list: seconds to wait, then bytes as base64.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path


def main() -> int:
    if "-c" in sys.argv:  # asked for a framework
        return 0
    fd = int(sys.argv[sys.argv.index("--fd") + 1])
    sys.stdin.readline()
    with Path(os.environ["TORTURE_SCRIPT"]).open() as script:
        for line in script:
            seconds, data = json.loads(line)
            time.sleep(seconds)
            left = memoryview(base64.b64decode(data))
            while left:
                left = left[os.write(fd, left) :]
    return int(os.environ.get("TORTURE_CODE", "0"))


if __name__ == "__main__":
    sys.exit(main())
