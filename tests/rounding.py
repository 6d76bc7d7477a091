"""How far two results of a model may be apart that were computed in numbers of so many bits: from the arithmetic alone.

Every operation rounds its result to the precision of the model: by at most `UNIT` of it, 2**-8 for bfloat16. Which
operations there are differs: a processor with units for bfloat16 fuses a product, its bias and what follows, and rounds
once, where another, or a framework that uses no fused kernel, rounds after each. So all are counted, as if none
was fused. Sums *within* an operation are kept in float32 everywhere, and count nothing here.

Roundings are independent, so n of them add up to at most sqrt(n) · UNIT of root mean square (N. Higham, T. Mary, "A new
approach to probabilistic rounding error analysis", 2019), and two results differ by sqrt(2) of that. No operation of
these models amplifies a relative error in the mean: products with random weights keep it, tokens are normalised about a
small mean, and the scores of a softmax stay below 1.

This bound takes every rounding as large as it can be; in the mean one is 0.41 of that. So results are about 0.4 of the
bound apart where the count is right (0.2 to 0.4 were seen, with instructions for bfloat16, without, without AVX-512 and
without AVX2), and a single element, which may be 5 times what is expected, is within twice the bound.
"""

from __future__ import annotations

from math import sqrt

from workloads.networks.architecture import NetworkSizes

UNIT = {"bfloat16": 2.0**-8, "float32": 2.0**-24}
"""The largest relative error of one rounding, by precision."""
SINGLE = 2.0
"""How far a single element may be off, as a part of the bound of the root mean square."""
OUTPUT_TOLERANCE = 2e-5
"""Largest difference of an output in float32, which is of the order of 0.1 to 1: sums are taken in another order."""
LOSS_TOLERANCE = 2e-4
"""Largest relative difference of a loss in float32 within the first 20 training steps."""
_PRODUCT = 2  # a product and its bias
_STEM = 1 + 2 * _PRODUCT + 1 + _PRODUCT  # the picture, two convolutions, their mean, a product
_SCORES = 3 + 3  # products, scaled, biased; softmax: from the largest, exp, over their sum
_ATTENTION = 1 + _PRODUCT + _SCORES + 1 + _PRODUCT + 1  # norm, product, scores, weighted sum, product, residual
_GELU = 2 + 2 + 1 + 1 + 2  # cube; a share of it added; scaled; tanh; one more, and half of that times the value
_FEED = 1 + _PRODUCT + _GELU + _PRODUCT + 1  # norm, product, gelu, product, residual
_FRAME = _PRODUCT + 3 + 3 + 3  # of a GRU: product; reset gate and what it lets through; tanh and gate; the new state
_MEMORY = 1 / (1 - 0.5**2)  # frames whose errors a state still holds, as a gate lets half of it through
_HEAD = _PRODUCT


def roundings(architecture: str, sizes: NetworkSizes) -> float:
    """On the longest path from a picture to a prediction."""
    if architecture == "recurrent":
        return _STEM + _PRODUCT + _FRAME * _MEMORY + _HEAD
    return _STEM + sizes.layers * (_ATTENTION + _FEED) + 1 + _HEAD


def roundings_of_training(architecture: str, sizes: NetworkSizes, steps: int, frames: int) -> float:
    """The same after so many steps, each of at most so many frames.

    Added is a gradient, whose path is there and back and which is summed over the rows of a batch; and each weight on
    the path, rounded after every step, so that these errors stay.
    """
    forward = roundings(architecture, sizes)
    weights = 4 + (2 if architecture == "recurrent" else 4 * sizes.layers)
    return forward + 3 * forward + frames * sizes.batch + steps * weights


def apart(count: float, precision: str) -> float:
    """How far two results may be apart after so many roundings, as a part of their size; root mean square."""
    return sqrt(2 * count) * UNIT[precision]
