"""The versions of one model in numbered folders: which are served, under which labels, and how one follows another.

As TensorFlow Serving has them: a version is loaded before another is dropped, and who asks a version that is dropped
meanwhile keeps it until the answer is there. How a model is loaded is none of its business. Standard library only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOADING, AVAILABLE, END = "LOADING", "AVAILABLE", "END"
_MOST_ENDED = 16
"""Versions that are remembered after their end."""
STABLE, CANARY = "stable", "canary"
"""Labels that the oldest and the newest version have where no configuration says otherwise."""


class NoVersionError(LookupError):
    """No version is served as it was asked for."""


@dataclass(frozen=True, slots=True)
class ServedVersions:
    """What is served at one time; never changed, but replaced as a whole."""

    models: Mapping[int, Any] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)


class Versions:
    """Versions in the numbered folders of `base`.

    load: makes a model of a folder. unloaded: called when one was dropped. latest: how many of the newest are served
    until `reload` names some.
    """

    def __init__(
        self, name: str, base: Path, load: Callable[[Path], Any], latest: int, unloaded: Callable[[], object]
    ) -> None:
        self._name, self._base, self._load, self._unloaded, self._latest = name, base, load, unloaded, latest
        self._wanted: frozenset[int] | None = None
        self._labels: Mapping[str, int] = {}
        self._served, self._loading = ServedVersions(), 0
        self._ended: dict[int, None] = {}
        self._wake, self._lock = threading.Event(), threading.Lock()
        self.swaps = 0
        """How many versions were dropped."""

    def pick(self, version: int = 0, label: str = "") -> tuple[int, Any]:
        """A version and its model, which stays usable however long it is used. 0 and "": the newest.

        Raises:
            NoVersionError: it is not served.
        """
        served = self._served
        if label:
            if label not in served.labels:
                raise NoVersionError(f"Unrecognized servable version label: {label}")
            version = served.labels[label]
        if not version and served.models:
            version = max(served.models)
        if version not in served.models:
            raise NoVersionError(f"Servable not found for request: Specific({self._name}, {version})")
        return version, served.models[version]

    def states(self) -> dict[int, str]:
        """Of every version that is served, is being loaded, or has ended of late."""
        states = dict.fromkeys(tuple(self._ended), END) | dict.fromkeys(self._served.models, AVAILABLE)
        return states | ({self._loading: LOADING} if self._loading else {})

    def reload(self, wanted: Iterable[int], labels: Mapping[str, int]) -> str:
        """Serve these versions under these labels from now on; what is wrong with that, or nothing.

        wanted: empty for the newest. It returns at once: a version is served once `poll` has loaded it.
        """
        unknown = {label: version for label, version in labels.items() if version not in self._served.models}
        if unknown:
            return f"labels of versions that are not available: {unknown}"
        with self._lock:
            self._wanted, self._labels = frozenset(wanted) or None, dict(labels)
            self._publish(self._served.models)
        self._wake.set()
        return ""

    def poll(self) -> None:
        """See what is in the folder: load what is new and wanted, then drop what is no longer.

        Raises:
            Exception: a version cannot be loaded.
        """
        wanted = self._chosen()
        for version in sorted(wanted - set(self._served.models)):
            self._loading = version
            try:
                model = self._load(self._base / str(version))
            finally:
                self._loading = 0
            with self._lock:
                self._ended.pop(version, None)
                self._publish({**self._served.models, version: model})
        dropped = sorted(set(self._served.models) - wanted)
        if dropped and wanted:
            with self._lock:
                self._publish({v: model for v, model in self._served.models.items() if v in wanted})
                self._ended |= dict.fromkeys(dropped)
                for old in list(self._ended)[:-_MOST_ENDED]:
                    del self._ended[old]
            self.swaps += len(dropped)
            self._unloaded()

    def keep(self, seconds: float, stop: threading.Event, failed: Callable[[Exception], object]) -> None:
        """Poll every so many seconds, and at once after `reload`, until told to stop. failed: told of what fails."""
        while not stop.is_set():
            self._wake.wait(seconds)
            self._wake.clear()
            try:
                self.poll()
            except Exception as error:  # noqa: BLE001  (a folder may hold anything; the others are served on)
                failed(error)

    def wake(self) -> None:
        """Have `keep` look at once."""
        self._wake.set()

    def _chosen(self) -> set[int]:
        there = {int(each.name) for each in self._base.iterdir() if each.name.isdecimal() and any(each.iterdir())}
        wanted = self._wanted
        return there & wanted if wanted is not None else set(sorted(there)[-self._latest :])

    def _publish(self, models: Mapping[int, Any]) -> None:
        ends = {STABLE: min(models), CANARY: max(models)} if models else {}
        named = {label: version for label, version in self._labels.items() if version in models}
        self._served = ServedVersions(dict(models), {**ends, **named})
