"""Soak any program from outside: no change to it, no framework needed.

Runs COMMAND unchanged, samples the memory of all its processes, and judges it: does it leak, how fast, in which layer?
Ends when the program ends, or after --duration. The exit code is the verdict: 0 pass, 1 leak or unstable, 3
inconclusive, 4 invalid or error. A program that ends with a status other than 0, or by a signal, is unstable. Ctrl-C
once stops cleanly, with a report of the samples so far; twice stops at once.

Rates are per hour, and with `soak.beat()` in the program also per step. The program's output goes to a log in the run
folder. It runs with your environment, in your working directory, and without a sandbox. The record holds COMMAND as you
give it: pass secrets with --env NAME, not as arguments such as --password.

--ranks N runs COMMAND N times at once, like `torchrun`: each rank gets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
MASTER_PORT for torch.distributed, and TF_CONFIG for TensorFlow. The report names them "rank 0 of N" and so on, and says
which one leaks. The trial ends when all ranks are done or have ended, or when one dies.

--load URL soaks a server: once URL answers, a client sends --rate requests per second, and only the server is judged,
per hour and per request. {port} in URL and COMMAND is a free port. For other methods than GET, see docs/servers.md.

examples:
  soak exec -- python train.py
  soak exec --duration 10min --memory-limit 2GiB -- ./server --port 8080
  soak exec --show-output --name nightly -- bash -c 'for i in $(seq 1000); do ./job; done'
  soak exec --duration 10min --ranks 2 -- python train_ddp.py
  soak exec --duration 10min --load http://127.0.0.1:{port}/health -- uvicorn app:app --port {port}
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from soak.engine.status import Listener
from soak.errors import UsageError
from soak.plan import config
from soak.plan.given import Given, Option
from soak.plan.member import URL
from soak.plan.overrides import Overrides
from soak.plan.program import name_of
from soak.program_output import ProgramOutput
from soak.runs import foreground
from workloads.load.options import MOST_RATE

_LABEL = Path("soak exec")
"""In place of a config file, in errors."""
_RUN = ("duration", "sample_interval", "stop_grace")
"""Options that are keys of `[run]`."""
_KEYS: Mapping[str, Sequence[str]] = {
    **{option: (f"run.{option}",) for option in _RUN},
    "min_rate": ("judge.min_rate",),
    "name": ("run.name", "trial.0.name"),
    "device": ("trial.0.device", "trial.0.devices"),
    "memory_limit": ("trial.0.memory_limit",),
    "ranks": ("trial.0.ranks",),
    "cwd": ("trial.0.cwd", "trial.0.member.0.cwd"),
    "load": ("trial.0.member.0.ready", "workload"),
}
"""The keys that options set, for errors."""
_OF_A_TRIAL: Mapping[str, Sequence[str]] = {
    "command": ("trial.0.command", "trial.0.member.0.command"),
    "cwd": _KEYS["cwd"],
    "device": _KEYS["device"],
}
"""What is checked of a trial once it is planned, and the keys that it stands in."""
_DEVICE = "auto"
_REQUESTS_PER_SECOND = 50.0
_SERVER = "server"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `soak exec`."""
    parser.usage = "soak exec [options] -- COMMAND [ARGUMENT …]"
    parser.add_argument("--duration", metavar="TIME", help='stop it after this time, such as "90s" or "2h"')
    parser.add_argument("--memory-limit", metavar="SIZE", help='stop it when it uses more memory, such as "2GiB"')
    parser.add_argument("--device", metavar="DEVICE", default=_DEVICE,
                        help="the GPUs that it sees: auto (one, if there is one), cpu (none), cuda:N, a UUID, or "
                             "several of these separated by commas; see `soak doctor`")  # fmt: skip
    parser.add_argument("--name", metavar="NAME",
                        help="name of the run and its trial (default: train for `python train.py`)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the run folder is made (default: runs)")
    parser.add_argument("--sample-interval", metavar="TIME", help="time between two samples (default: 1s)")
    parser.add_argument("--min-rate", metavar="RATE", help='slower growth is not a leak, such as "10 MiB/h" '
                        "(default: 1 MiB/h)")  # fmt: skip
    parser.add_argument("--cwd", metavar="FOLDER", help="folder that it runs in (default: the working directory)")
    parser.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]",
                        help="set this in its environment; may be given several times. NAME alone takes the value from "
                             "your environment: the record hides it, as with NAME=VALUE, and it is not visible "
                             "in the process list")  # fmt: skip
    parser.add_argument("--ranks", type=int, metavar="N",
                        help="run it N times at once, as ranks that find each other")  # fmt: skip
    parser.add_argument("--load", metavar="URL",
                        help="send it requests at this URL on 127.0.0.1, once it answers")  # fmt: skip
    parser.add_argument("--rate", type=float, metavar="N",
                        help=f"requests a second that --load sends (default: {_REQUESTS_PER_SECOND:g})")  # fmt: skip
    parser.add_argument("--stop-grace", metavar="TIME", help="time between SIGTERM and SIGKILL (default: 15s)")
    parser.add_argument("--stop-on-leak", action="store_true", help="stop it as soon as a leak is found")
    parser.add_argument("--show-output", action="store_true", help="show its output while it runs")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
                        help="set a key of the generated config: judge.alarm=0.01")  # fmt: skip
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML, for CI, to this file")
    parser.add_argument("--live", type=int, metavar="FD",
                        help="also write progress, as lines of JSON, to this file descriptor")  # fmt: skip
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments")


def run(options: argparse.Namespace) -> int:
    """Soak it, report, and answer with the exit code of the verdict."""
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        raise UsageError("soak exec: expected a command, such as: soak exec -- python train.py")
    if options.stop_on_leak and options.duration is None:
        raise UsageError("--stop-on-leak: expected --duration too: the alarm checks at fixed fractions of the duration")
    _check_load(options)
    tables = tables_of(options, command)

    def load() -> config.Config:
        return config.of_tables(_LABEL, tables, options.overrides)

    def watch(shown: Console) -> Sequence[Listener]:
        return [ProgramOutput(shown)] if options.show_output else []

    return foreground.execute(load, options.out, options.live, watch, _given(options, command), options.junit)


def _check_load(options: argparse.Namespace) -> None:
    if options.load is None:
        if options.rate is not None:
            raise UsageError("--rate: expected --load URL too: only --load sends requests")
        return
    if options.ranks is not None:
        raise UsageError("--load: expected no --ranks: requests go to one server")
    if options.rate is not None and not 0 <= options.rate <= MOST_RATE:
        raise UsageError(f"--rate {options.rate:g}: expected requests a second, from 0 (closed loop) to {MOST_RATE}")
    if not URL.fullmatch(options.load):
        raise UsageError(f"--load {options.load}: expected a URL on this machine, such as http://127.0.0.1:8000/health")


def _given(options: argparse.Namespace, command: Sequence[str]) -> Given:
    found = dict.fromkeys(_OF_A_TRIAL["command"], Option(command[0]))
    for option, keys in _KEYS.items():
        if (value := getattr(options, option)) not in (None, _DEVICE):
            found |= dict.fromkeys(keys, Option(f"--{option.replace('_', '-')}", str(value)))
    for word in options.env:
        name = word.partition("=")[0]
        found |= dict.fromkeys((f"trial.0.env.{name}", f"trial.0.member.0.env.{name}"), Option(f"--env {name}"))
    changed = Overrides(options.overrides).given()
    of_trial = {what: _last(keys, changed, found) for what, keys in _OF_A_TRIAL.items()}
    return found | changed | {what: option for what, option in of_trial.items() if option is not None}


def _last(keys: Sequence[str], *given: Given) -> Option | None:
    """The option that set one of these keys, or a table around or below it: of the first of `given` that has any."""
    for options in given:
        for name in reversed(list(options)):
            if any(f"{key}.".startswith(f"{name}.") or name.startswith(f"{key}.") for key in keys):
                return options[name]
    return None


def tables_of(options: argparse.Namespace, command: Sequence[str]) -> dict[str, Any]:
    """The config of a run of one command."""
    name = options.name or name_of(command) or "exec"
    run: dict[str, Any] = {"name": name, "sandbox": False}
    run |= {key: value for key in _RUN if (value := getattr(options, key)) is not None}
    judge = {"stop_on_leak": True} if options.stop_on_leak else {}
    if options.min_rate is not None:
        judge["min_rate"] = options.min_rate
    program, devices = _program(options, command), options.device.split(",")
    if options.load is None:
        trial = {"name": name, **program}
    else:
        trial = {"name": name, "member": _members(options, {**program, "devices": len(devices)})}
    trial |= {"devices": devices} if len(devices) > 1 else {"device": options.device}
    if options.memory_limit is not None:
        trial["memory_limit"] = f"{options.memory_limit} B" if options.memory_limit.isdigit() else options.memory_limit
    return {"run": run, "judge": judge, "trial": [trial]}


def _program(options: argparse.Namespace, command: Sequence[str]) -> dict[str, Any]:
    """What is started, and how."""
    program: dict[str, Any] = {"command": list(command)}
    if options.env:
        program["env"] = dict(map(_variable, options.env))
    return program | {key: value for key in ("ranks", "cwd") if (value := getattr(options, key)) is not None}


def _members(options: argparse.Namespace, program: dict[str, Any]) -> list[dict[str, Any]]:
    """It as a server, and a client that asks it."""
    url = options.load.replace("{port}", f"{{{_SERVER}.port}}")
    rate = _REQUESTS_PER_SECOND if options.rate is None else options.rate
    return [
        {"name": _SERVER, "ready": options.load, **program},
        {"name": "client", "workload": "http_client", "stream": {"source": "none"},
         "options": {"url": url, "method": "GET", "rate": rate}},
    ]  # fmt: skip


def _variable(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if equals:
        return name, value
    if name not in os.environ:
        raise UsageError(f"--env {name}: expected NAME=VALUE, or NAME of a variable that is set")
    return name, os.environ[name]
