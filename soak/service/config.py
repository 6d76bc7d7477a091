"""`soak.toml` → checked values: what the service runs, when, under which conditions, and what it keeps."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from soak.errors import ConfigError, Problems, missing_key
from soak.plan import config
from soak.plan.quantity import Duration, Size
from soak.plan.tables import convert, known_keys, read_toml

DEVICE = re.compile(r"cpu|cuda:\d{1,3}(,cuda:\d{1,3})*")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
LEAST_MEMORY = 128 * 1024**2
_WHEN = ("cron", "every", "at", "back_to_back")


@dataclasses.dataclass(frozen=True)
class ServiceTable:
    """`[service]`: where it listens and where it keeps its state."""

    listen: str = "127.0.0.1:9109"
    """Address and port; `[::1]:9109` for IPv6. Beyond loopback, give a `web_config` too."""
    state: str = ""
    """Folder of runs, schedules and locks; empty: $STATE_DIRECTORY as systemd sets it, else `soak-state`."""
    web_config: str = ""
    """A file with TLS and basic auth, in the format of Prometheus exporters; relative to this file."""
    hosts: list[str] = dataclasses.field(default_factory=list)
    """Host names to accept requests for, besides localhost, the name of this machine, and IP addresses."""
    memory_max: Size = Size(512 * 1024**2)
    """Memory limit of the service itself, not of its runs; above it, the service is restarted."""
    textfile: str = ""
    """Where to write the metrics for node_exporter's textfile collector: a file that ends in .prom; empty: nowhere."""


@dataclasses.dataclass(frozen=True)
class ConditionsTable:
    """`[conditions]`: what must hold before a run starts."""

    free_disk: Size = Size(2 * 1024**3)
    """Free disk space required for the state folder."""
    load: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    """One-minute load average per core below which a run may start; 0: any."""
    gpu_idle: bool = True
    """Wait until no other process computes on the device."""
    max_wait: Duration = Duration(6 * 3600.0)
    """How long a due run waits for these conditions; then it counts as missed."""
    yield_to_others: Literal["no", "pause", "end"] = "no"
    """What a run does while another process computes on its device."""


@dataclasses.dataclass(frozen=True)
class RetentionTable:
    """`[retention]`: which finished runs are kept. The newest of each schedule always is."""

    age: Duration = Duration(90 * 86400.0)
    """Older runs are deleted."""
    runs: Annotated[int, msgspec.Meta(ge=1)] = 500
    """Maximum number of runs to keep."""
    size: Size = Size(20 * 1024**3)
    """Maximum disk space of all runs."""
    failing_multiplier: Annotated[float, msgspec.Meta(ge=1.0)] = 4.0
    """Runs that did not pass are kept this many times longer, and deleted last when space is needed."""


@dataclasses.dataclass(frozen=True)
class ScheduleTable:
    """`[[schedule]]`: one config, run again and again; one of `cron`, `every`, `at` and `back_to_back` says when."""

    name: str
    """What the schedule and its runs are called: a-z, 0-9, - and _."""
    config: str
    """The config of the runs; relative to this file."""
    cron: str = ""
    """Five fields: minute, hour, day, month, day of week; in the time zone of the machine."""
    every: Duration | None = None
    """Time from the start of one run to the start of the next."""
    at: str = ""
    """Once: an ISO 8601 time."""
    back_to_back: bool = False
    """Again as soon as the previous run has ended."""
    pause: Duration = Duration(10.0)
    """Pause between two runs back to back."""
    device: str = "cpu"
    """Device that its trials run on, whatever their config says, and that no other schedule uses meanwhile: cpu, or
    cuda:N, or several separated by commas."""
    duration: Duration | None = None
    """Replaces the limits of every trial."""
    trials: list[str] = dataclasses.field(default_factory=list)
    """Only the trials whose names begin with one of these."""
    max_lateness: Duration | None = None
    """How late a run may start that was due while the service was down or its device busy; unset: any."""
    overlap: Literal["skip", "queue"] = "skip"
    """What happens to a run that is due while the previous one is running; at most one waits."""

    @property
    def devices(self) -> list[str]:
        """Each of them."""
        return self.device.split(",")

    @property
    def when(self) -> str:
        """In a few words."""
        if self.cron:
            return f"cron {self.cron}"
        if self.every is not None:
            return f"every {float(self.every):g} s"
        return f"once at {self.at}" if self.at else "back to back"

    @property
    def fingerprint(self) -> str:
        """Changes when the schedule does."""
        return f"{self.cron}|{self.every}|{self.at}|{self.back_to_back}"


@dataclasses.dataclass(frozen=True)
class ServiceConfig:
    """A whole `soak.toml`, checked. Paths are resolved."""

    path: Path
    service: ServiceTable
    conditions: ConditionsTable
    retention: RetentionTable
    schedules: tuple[ScheduleTable, ...]

    def beside(self, name: str) -> Path:
        """A file named in this config: relative names start at its folder."""
        return (self.path.parent / name).resolve()

    @property
    def state(self) -> Path:
        """Where the state is kept."""
        given = self.service.state or os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or "soak-state"
        return Path(os.path.expandvars(given)).resolve()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return address_of(self.service.listen)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can ask."""
        host = self.address[0]
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def exposed(self) -> bool:
        """Whether other machines can ask, and nothing asks who they are."""
        return not self.loopback and not self.service.web_config


EXPOSED = (
    "it listens on {}, beyond this machine, without a web_config: anyone who reaches it can read every report; "
    "set [service] web_config with TLS and passwords, or listen on 127.0.0.1"
)


def load(path: Path) -> ServiceConfig:
    """Read and check `soak.toml`, and the config of every schedule in it.

    Raises:
        ConfigError: it cannot be used.
    """
    _, raw = read_toml(path)
    problems, schedules = Problems(), list[ScheduleTable]()
    service, conditions, retention = ServiceTable(), ConditionsTable(), RetentionTable()
    with problems.gathered():
        known_keys(path, "", raw, ("service", "conditions", "retention", "schedule"))
    with problems.gathered():
        service = _service(path, raw.get("service", {}))
    with problems.gathered():
        conditions = convert(path, "conditions", raw.get("conditions", {}), ConditionsTable)
    with problems.gathered():
        retention = convert(path, "retention", raw.get("retention", {}), RetentionTable)
    loaded = ServiceConfig(path.resolve(), service, conditions, retention, ())
    with problems.gathered():
        for i, table in enumerate(_tables(path, raw)):
            with problems.gathered():
                schedules.append(_schedule(path, f"schedule[{i}]", table, {each.name for each in schedules}))
                config.load(loaded.beside(schedules[-1].config), duration=_text(schedules[-1].duration))
    problems.tell()
    return dataclasses.replace(loaded, schedules=tuple(schedules))


def _service(path: Path, table: object) -> ServiceTable:
    service = convert(path, "service", table, ServiceTable)
    try:
        address_of(service.listen)
    except ValueError as error:
        raise ConfigError(path, "service.listen", service.listen, str(error)) from error
    if service.memory_max < LEAST_MEMORY:
        raise ConfigError(path, "service.memory_max", service.memory_max, "expected at least 128 MiB")
    if service.textfile and not service.textfile.endswith(".prom"):
        raise ConfigError(path, "service.textfile", service.textfile, "expected a file that ends in .prom")
    return service


def _tables(path: Path, raw: Mapping[str, Any]) -> list[Any]:
    tables = raw.get("schedule", [])
    if not isinstance(tables, list) or not tables:
        raise missing_key(path, "schedule", "expected at least one [[schedule]] table with a name and a config")
    return tables


def _schedule(path: Path, key: str, table: Any, before: set[str]) -> ScheduleTable:
    """before: the names of those before it."""
    if isinstance(table, dict) and isinstance(table.get("at"), datetime):
        table = {**table, "at": table["at"].isoformat()}
    schedule = convert(path, key, table, ScheduleTable)
    if not NAME.fullmatch(schedule.name):
        raise ConfigError(path, f"{key}.name", schedule.name, "expected at most 63 of a-z, 0-9, - and _")
    if schedule.name in before:
        raise ConfigError(path, f"{key}.name", schedule.name, "another schedule has this name")
    if not DEVICE.fullmatch(schedule.device) or len(set(schedule.devices)) < len(schedule.devices):
        said = 'expected "cpu", "cuda:N", or several of these separated by commas'
        raise ConfigError(path, f"{key}.device", schedule.device, said)
    given = [name for name in _WHEN if getattr(schedule, name)]
    if len(given) != 1:
        said = f"got {' and '.join(given)}" if given else "got none"
        raise missing_key(path, key, f"schedule {schedule.name!r}: expected one of {', '.join(_WHEN)}; {said}")
    _when(path, key, schedule)
    return schedule


def _when(path: Path, key: str, schedule: ScheduleTable) -> None:
    from apscheduler.triggers.cron import CronTrigger

    try:
        if schedule.cron:
            CronTrigger.from_crontab(schedule.cron)
    except ValueError as error:
        expected = f'expected five fields of cron such as "30 2 * * sat": {error}'
        raise ConfigError(path, f"{key}.cron", schedule.cron, expected) from error
    try:
        if schedule.at:
            datetime.fromisoformat(schedule.at)
    except ValueError as error:
        raise ConfigError(path, f"{key}.at", schedule.at, "expected a time such as 2027-01-31T02:00:00Z") from error


def _text(duration: Duration | None) -> str | None:
    return None if duration is None else f"{float(duration)} s"


def duration_of(schedule: ScheduleTable) -> str | None:
    """The schedule's duration as `soak run --duration` takes it."""
    return _text(schedule.duration)


def address_of(text: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        ValueError: it is no such pair.
    """
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535 or not host:
        raise ValueError('expected address:port, such as "127.0.0.1:9109" or "[::]:9109"')
    return host.strip("[]"), int(port)
