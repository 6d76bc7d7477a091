"""Campaign: mutated traces. `soak analyze` judges each or refuses it in one line, and never says the opposite."""

from __future__ import annotations

import random
from pathlib import Path

from tests.torture import calls, rules, traces
from tests.torture.results import Case

CAMPAIGN = "traces"
ROWS = 240


def draw(rnd: random.Random) -> tuple[traces.Case, tuple[str, ...]]:
    """A file, and the verdicts that would be false."""
    fate = rnd.random()
    if fate < 0.1:
        return ends_early(rnd), ("pass",)
    made = traces.csv_file(rnd) if fate < 0.6 else traces.parquet_file(rnd)
    # Beside 8 EiB, nothing that grows by megabytes is plain.
    plain = made.truth is not None and "values: uint" not in made.done
    return made, (rules.OPPOSITE[str(made.truth)],) if plain else ()


def ends_early(rnd: random.Random) -> traces.Case:
    """A trace of one or two columns, of which one is seen for a fifth of the time: what was not seen cannot pass."""
    leaks, blind = rnd.random() < 0.5, rnd.choice(("rss_bytes", "num_fds"))
    head = ["t", "rss_bytes", *(("num_fds",) if blind == "num_fds" else ())]
    rows = []
    for i in range(ROWS):
        values = {"rss_bytes": round(3e8 + (1e6 * i if leaks else 0.0) + rnd.gauss(0, 1e4)), "num_fds": 12}
        seen = [str(values[name]) if name != blind or i < ROWS / 5 else "" for name in head[1:]]
        rows.append(",".join([str(60 * i), *seen]))
    return traces.Case("x.csv", "\n".join([",".join(head), *rows, ""]).encode(), (f"{blind} ends early",), None)


def one(seed: int, n: int, folder: Path) -> Case:
    """Draw a trace, and have it judged."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    made, never = draw(rnd)
    (folder / made.name).write_bytes(made.content)
    case = Case(CAMPAIGN, seed, n, f"{made.name}: {', '.join(made.done) or 'nothing'}")
    said = calls.call("analyze", str(folder / made.name), "--json")
    case.faults = [*rules.spoken(said), *rules.known_code(said), *rules.refused_in_one_line(said)]
    verdict = calls.VERDICTS.get(said.code, "refused")
    case.facts = {"outcome": verdict}
    if verdict in never:
        case.fault("false verdict", f"{verdict}, and the truth is {made.truth or 'not seen'}")
    return case
