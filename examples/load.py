"""Load for a server under test: one connection that asks again and again. Standard library only."""

from __future__ import annotations

import argparse
import http.client
import time
import urllib.parse


def main() -> None:
    """Ask, until the server is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second (default: 200)")
    options = parser.parse_args()
    url = urllib.parse.urlsplit(options.url)
    connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port)
    due = time.monotonic()
    while True:
        connection.request("GET", url.path or "/")
        connection.getresponse().read()
        due += 1 / options.rate
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
