"""What plug-ins need that is not on this node: modules in one statement, and each thing of the system in its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from soak.doctor.finding import Diagnosis
from workloads.needs import Lack, Needs


def findings(needs: Iterable[tuple[str, Needs]]) -> Iterator[Diagnosis]:
    """needs: of each plug-in, by what it is called: `server nginx`."""
    packages: dict[str, list[str]] = {}
    others: dict[Lack, list[str]] = {}
    for who, needed in needs:
        for lack in needed.lacks():
            if lack.package:
                packages.setdefault(lack.package, []).append(who)
            else:
                others.setdefault(lack, []).append(who)
    if packages:
        yield _modules(packages)
    for lack, needing in others.items():
        advice = lack.advice and f"`{lack.advice}`"
        yield Diagnosis("system", "plug-ins", "note", f"{', '.join(needing)}: {lack.said}", advice)


def _modules(packages: Mapping[str, list[str]]) -> Diagnosis:
    count = len({who for each in packages.values() for who in each})
    said = f"{count} plug-in{'s' if count > 1 else ''} cannot run in this interpreter, which lacks"
    advice = "`soak list --json` tells which need what; `soak env` lists environments that have it"
    return Diagnosis("frameworks", "plug-ins", "note", f"{said} {', '.join(sorted(packages))}", advice)
