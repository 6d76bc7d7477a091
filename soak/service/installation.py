"""What `soak install` writes and runs, as data: rendered first, so that it can be shown before it is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from soak.plan.shipped import shipped
from soak.service import config
from soak.service.config import ServiceConfig

UNIT = Path("/etc/systemd/system/soak.service")
SYSUSERS = Path("/etc/sysusers.d/soak.conf")
TMPFILES = Path("/etc/tmpfiles.d/soak.conf")
ETC = Path("/etc/soak")
STATE = Path("/var/lib/soak")


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file to write."""

    path: Path
    text: str
    keep: bool = False
    """Whether one that is there already stays as it is: it is the operator's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Files to write, then commands to run."""

    files: tuple[InstalledFile, ...]
    commands: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...] = ()
    """To be said before anything is done."""


def plan(python: Path, given: Path | None, start: bool) -> Plan:
    """The installation of the environment whose interpreter is `python`.

    Args:
        python: inside the virtual environment that is to serve.
        given: a `soak.toml`; None for the shipped example.
        start: whether to enable and start the service too.

    Raises:
        UsageError: the config cannot be used.
    """
    source = given or shipped("configs/service.toml")
    loaded = config.load(ETC / "soak.toml" if given is None and (ETC / "soak.toml").exists() else source)
    files = (
        InstalledFile(UNIT, unit(shipped("systemd/soak.service").read_text(), python.parent / "soak", loaded)),
        InstalledFile(SYSUSERS, shipped("systemd/sysusers.conf").read_text()),
        InstalledFile(TMPFILES, shipped("systemd/tmpfiles.conf").read_text()),
        InstalledFile(ETC / "soak.env", shipped("systemd/soak.env").read_text(), keep=True),
        *_configs(loaded, source, keep=given is None),
    )
    commands = [("systemd-sysusers", str(SYSUSERS)), ("systemd-tmpfiles", "--create", str(TMPFILES)),
                ("systemctl", "daemon-reload")]  # fmt: skip
    if start:
        commands += [("systemctl", "enable", "soak.service"), ("systemctl", "restart", "soak.service")]
    return Plan(files, tuple(commands), (config.EXPOSED.format(loaded.service.listen),) if loaded.exposed else ())


def unit(template: str, program: Path, loaded: ServiceConfig) -> str:
    """The unit file for this environment and this config."""
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={program}", template, flags=re.MULTILINE)
    if program.is_relative_to("/home") or program.is_relative_to("/root"):
        text = text.replace("ProtectHome=yes", "ProtectHome=read-only")
    if not loaded.loopback:
        text = re.sub(r"^# Nothing leaves.*\n|^IPAddress.*\n", "", text, flags=re.MULTILINE)
    return text


def _configs(loaded: ServiceConfig, source: Path, keep: bool) -> list[InstalledFile]:
    """soak.toml and the configs it names beside it; those it names elsewhere stay there."""
    files = [InstalledFile(ETC / "soak.toml", source.read_text(encoding="utf-8"), keep)]
    for name in sorted({schedule.config for schedule in loaded.schedules}):
        path = loaded.beside(name)
        if not Path(name).is_absolute() and path != (ETC / name).resolve():
            files.append(InstalledFile(ETC / name, path.read_text(encoding="utf-8"), keep))
    return files


def unreachable(python: Path) -> str:
    """Why the service, as a user of its own, could not run this interpreter; empty where it could."""
    for path in (*python.parents, *python.resolve().parents):
        if path.exists() and not path.stat().st_mode & 0o001:
            return (
                f"{path}: only its owner may enter, so the service's user could not run {python}; make the virtual "
                f"environment elsewhere, with an interpreter that all may run: /usr/bin/python3 -m venv /opt/soak"
            )
    return ""


def removal(purge: bool) -> tuple[tuple[tuple[str, ...], ...], tuple[Path, ...]]:
    """Commands to run, then files and folders to remove."""
    commands = (("systemctl", "disable", "--now", "soak.service"),)
    return commands, (UNIT, SYSUSERS, TMPFILES, *((ETC, STATE) if purge else ()))
