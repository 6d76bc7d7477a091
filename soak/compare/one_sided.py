"""Where only one of two sides leaks there is nothing to set its time to exhaustion against: what is told then. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitors.comparison.bounds import of_side
from monitors.comparison.measures import named
from monitors.comparison.model import Difference, Measure
from reports.comparison import OneSidedTold
from soak.compare.matching import MatchedSides, Trials

TIME = named("time_to_exhaustion")


def one_sided(
    matched: MatchedSides, differences: Sequence[Difference], measures: Sequence[Measure]
) -> Iterator[OneSidedTold]:
    """Of all groups together, and where there are several of each: what is no difference, as not both sides tell it.

    Args:
        matched: two sides.
        differences: that were found of them.
        measures: what is compared.
    """
    if TIME not in measures:
        return
    groups = {group.name: (group.first, group.second) for group in matched.groups}
    both = tuple([trial for sides in groups.values() for trial in sides[place]] for place in (0, 1))
    for name, sides in {"": both, **(groups if len(groups) > 1 else {})}.items():
        if any(one.measure == TIME.name and one.group == name for one in differences):
            continue
        told = [
            of_side(TIME, [trial for trial in side if name in ("", trial.group)])
            for side in (matched.first, matched.second)
        ]
        # Where both tell it in a group, that is a difference, told of all groups together.
        if (told[0] is None) is not (told[1] is None) or (not name and told[0] is not None):
            yield OneSidedTold(TIME.name, name, (told[0], told[1]), (_leaking(sides[0]), _leaking(sides[1])))


def _leaking(trials: Trials) -> int | None:
    """How many leak; None where that is not known, as the verdicts of a run are not believed."""
    if any(trial.run.verdict == "invalid" for trial in trials):
        return None
    return sum(trial.info.verdict == "leak" for trial in trials)
