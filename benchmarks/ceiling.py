"""What a learned judge reaches that has seen every family: `python -m benchmarks.ceiling`.

Trees are boosted on fresh traces of the corpus's generator and judge others of the same families: by their course
(medians, floors and means of 64 blocks), how rough it is, and what soak's shapes make of the medians: log odds, and how
much each kind of shape and each noise weighs. A reference within the families, no bound: a better learner may reach
more, and on a family that it has not seen this one falls short. Soak is shown on the same traces, families left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

# One process for each core: threads of the linear algebra would only get in their way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.calibrate import by_condition
from benchmarks.corpus import Case, cases, series_of
from benchmarks.fitted import Judged, judge, left_out
from monitors.detection.calibration import MOST_BLOCKS
from monitors.detection.jumps import beside
from monitors.detection.posterior import Posterior, weigh
from monitors.detection.series import Floats
from monitors.detection.shapes import dictionary
from monitors.detection.stats import cut_blocks, roughness

_SEED, _HELD_SEED = 100_000, 50_000
"""First seeds of what is learned from and of what is judged, far from each other and from those of the corpus."""
_PAGE = 4096.0


def see(case: Case) -> tuple[bool, Floats]:
    """Whether it leaks, and what the trees see, shape (features,). Blocks that a short trace lacks are NaN."""
    trace, series = series_of(case)
    blocks = cut_blocks(series.t, series.values, min(MOST_BLOCKS, len(series.t)), series.floors, series.means)
    scale = max(float(np.ptp(blocks.median)), _PAGE)
    course = np.full((3, MOST_BLOCKS), np.nan)
    course[:, : len(blocks.t)] = (np.stack([blocks.median, blocks.floor, blocks.mean]) - blocks.median[0]) / scale
    rough = [roughness(row[: len(blocks.t)]) for row in course]
    rough.append(float(np.median(np.abs(np.diff(series.values)))) / scale)
    x = np.ascontiguousarray(((blocks.t - series.t[0]) / (series.t[-1] - series.t[0])).round(9))
    posterior = weigh(dictionary(x), blocks.median[None], _PAGE / 12**0.5, beside(blocks.median, _PAGE)[1])
    size = [len(x), posterior.beside.shape[1], np.log(scale)]
    parts = course.ravel(), np.diff(course[0]), rough, size, shares(posterior)
    return trace.leaks, np.concatenate([np.asarray(part, np.float64) for part in parts])


def shares(posterior: Posterior) -> Floats:
    """Log odds of growth, and the log weight of each kind of shape and each noise, with growth and without."""
    still, growing = posterior.still[:, :, 0], posterior.growing[:, :, 0]
    pace = posterior.rate[:, :, 0] / posterior.error[:, :, 0]
    growing = growing - np.where(pace > 0, 0.0, pace**2 / 2)
    top = max(float(still.max()), float(growing.max()))
    out = [float(posterior.odds[0]), float(posterior.stairs[0]) - top, float(pace.flat[int(growing.argmax())])]
    for weights, shapes, names in ((still, posterior.book.still, _STILL), (growing, posterior.book.growing, _GROWING)):
        kinds = np.array([shape.kind for shape in shapes])
        out += [float(np.logaddexp.reduce((weights[:, kinds == kind] - top).ravel())) for kind in names]
        out += np.logaddexp.reduce(weights - top, axis=1).tolist()
    return np.array(out)


_STILL = "flat", "decay", "logarithm", "hyperbola", "stop", "periodic", "step", "decay, step"
_GROWING = (*_STILL[:2], *_STILL[3:], "late onset, flat", "late onset, decay", "accelerating")


def learned(seen: Sequence[tuple[bool, Floats]], held: Sequence[tuple[bool, Floats]]) -> Floats:
    """The probability of each held-out trace by trees boosted on the others, leaks and no leaks weighing the same."""
    leaks, features = np.array([one for one, _ in seen]), np.stack([row for _, row in seen])
    trees = HistGradientBoostingClassifier(
        max_iter=400, learning_rate=0.05, l2_regularization=1.0, min_samples_leaf=40, early_stopping=False,
        max_features=0.2, class_weight="balanced", random_state=0,
    ).fit(features, leaks)  # fmt: skip
    return np.asarray(trees.predict_proba(np.stack([row for _, row in held]))[:, 1])


def main() -> None:
    """Print what both reach, by length."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=190, help="traces of each family and length to learn from")
    options = parser.parse_args()
    held = list(cases(40, _HELD_SEED))
    with ProcessPoolExecutor() as pool:
        judged: list[Judged] = list(pool.map(judge, held, chunksize=16))
        by_condition(judged, left_out(judged), "soak, families left out", lambda one: one.case.length)
        seen = list(pool.map(see, cases(options.series, _SEED), chunksize=32))
        p = learned(seen, list(pool.map(see, held, chunksize=32)))
    by_condition(judged, p, "trees that saw every family", lambda one: one.case.length)


if __name__ == "__main__":
    main()
