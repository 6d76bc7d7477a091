"""How much a running trial holds in each layer, as a whole and member by member. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from soak.engine.status import LastValue, TrialStatus


def by_layer(trial: TrialStatus, layers: Mapping[str, str]) -> dict[str, float]:
    """Bytes of the trial as a whole, by layer: the sum that it tells, or else what its parts add up to.

    layers: metrics that are bytes of a layer → the layer.
    """
    whole = _amounts((one for one in trial.samples if not (one.member or one.device)), layers)
    return {**_amounts(trial.samples, layers), **whole}


def by_member(trial: TrialStatus, layers: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The same of each member, by its name; empty where the trial has a single one."""
    names = dict.fromkeys(one.member for one in trial.samples if one.member)
    return {name: _amounts((one for one in trial.samples if one.member == name), layers) for name in names}


def _amounts(samples: Iterable[LastValue], layers: Mapping[str, str]) -> dict[str, float]:
    """Sums of those of one metric; of two metrics of a layer, the first."""
    found: dict[str, tuple[str, float]] = {}
    for one in samples:
        layer = layers.get(one.metric)
        if layer is not None:
            metric, amount = found.get(layer, (one.metric, 0.0))
            found[layer] = (metric, amount + one.value if one.metric == metric else amount)
    return {layer: amount for layer, (_, amount) in found.items()}
