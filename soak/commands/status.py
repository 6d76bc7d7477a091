"""Show the status of a running service: running, waiting and scheduled runs, and the last verdicts.

examples:
  soak status
  soak status --json | jq .running
  soak status --url https://node7:9109 --user me --ca ca.pem     asks for the password, or reads $SOAK_PASSWORD
"""

from __future__ import annotations

import argparse
import base64
import getpass
import http.client
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from monitors.text import printable
from monitors.units import format_duration, format_probability, format_value
from reports.console import console, words
from reports.tables import Column, print_table
from soak.errors import SoakError, UsageError
from soak.progress import STYLES

URL = "http://127.0.0.1:9109"
_MAX_WAIT = 10.0
_LARGEST = 64 * 2**20
"""Bytes of an answer."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak status`."""
    parser.add_argument("--url", default=URL, help=f"where the service listens (default: {URL})")
    parser.add_argument("--user", help="user name for basic auth")
    parser.add_argument("--ca", metavar="FILE", help="file with the certificate authority of the service")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(options: argparse.Namespace) -> int:
    """Ask, and say."""
    status = _ask(options)
    if options.json:
        json.dump(status, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    shown = console()
    try:
        with shown.capture() as text:
            _print(status, shown)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SoakError(f"{options.url}: not a soak service, or one of another version") from error
    shown.file.write(text.get())
    return 0


def _ask(options: argparse.Namespace) -> dict[str, Any]:
    url = options.url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--url {options.url}: expected http://host:port or https://host:port")
    headers = {}
    if options.user:
        secret = f"{options.user}:{_password(options.user)}".encode(errors="surrogateescape")
        headers["Authorization"] = "Basic " + base64.b64encode(secret).decode()
    request = urllib.request.Request(f"{url}/api/v1/status", headers=headers)  # noqa: S310  (the scheme was checked)
    try:
        context = ssl.create_default_context(cafile=options.ca) if url.startswith("https") else None
        with urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=context)).open(
            request, timeout=_MAX_WAIT
        ) as answer:
            body = json.loads(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        hint = "; give --user" if error.code == 401 else ""
        raise SoakError(f"{url}: the service answers {error.code} {error.reason}{hint}") from error
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise SoakError(f"{url}: no soak service answers there: {reason}; start one with soak serve") from error
    if not isinstance(body, dict):
        raise SoakError(f"{url}: not a soak service")
    return body


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could hand the password to another server."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        """None: the answer itself is the error."""
        return


def _password(user: str) -> str:
    try:
        return os.environ.get("SOAK_PASSWORD") or getpass.getpass(f"password of {printable(user, 200)}: ")
    except (EOFError, OSError) as error:
        raise UsageError("--user: no password was given: expected $SOAK_PASSWORD, or a terminal") from error


def _print(status: Mapping[str, Any], console: Console) -> None:
    now = status["now"]
    for problem in status["problems"]:
        _say(console, f"problem: {problem}", "red")
    for run in status["running"]:
        since = f"{_when(run['started'], now)}{', paused' if run['paused'] else ''}"
        _say(console, f"running: {run['run'] or run['schedule']} on {run['device']}, started {since}")
        for trial in run["running"]:
            _say(console, f"    {_trial(trial)}")
    for waiting in status["waiting"]:
        _say(console, f"waiting: {waiting['schedule']}, {waiting['reason'] or 'about to start'}")
    if not status["running"] and not status["waiting"]:
        console.print("idle")
    print_table(_SCHEDULES, [_schedule(one, now) for one in status["schedules"]], console)


def _say(console: Console, text: str, style: str = "") -> None:
    """One line, which is never wrapped."""
    console.print(words((text, style)), soft_wrap=True)


def _trial(trial: Mapping[str, Any]) -> str:
    parts = [f"{trial['name']} {trial['phase']}", f"{format_duration(trial['elapsed'])}"]
    if trial["time_left"] is not None:
        parts.append(f"{format_duration(trial['time_left'])} left")
    if "anonymous" in trial["memory"]:
        parts.append(f"memory {format_value(trial['memory']['anonymous'], 'bytes')}")
    if trial["leak_probability"] is not None:
        parts.append(f"P(leak) {format_probability(trial['leak_probability'])}")
    if trial["alarms"]:
        parts.append(f"alarm: {trial['reason']}")
    return ", ".join(parts)


_SCHEDULES = (
    *map(Column, ("schedule", "when", "next run", "last run", "last pass")), Column("missed", right=True),
)  # fmt: skip


def _schedule(one: Mapping[str, Any], now: float) -> tuple[Text | str, ...]:
    verdict = Text(one["last_verdict"] or "–", style=STYLES.get(one["last_verdict"], ""))
    return (one["name"], one["when"], _when(one["next_run"], now), verdict, _when(one["last_success"], now),
            str(one["missed"]))  # fmt: skip


def _when(then: float | None, now: float) -> str:
    if then is None:
        return "–"
    return f"in {format_duration(then - now)}" if then >= now else f"{format_duration(now - then)} ago"
