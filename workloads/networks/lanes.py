"""How one clip becomes a batch on the device: every lane sees it shifted sideways by another distance.

So lanes differ, at the cost of one clip on the host and on the way to the device.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt


@functools.lru_cache(maxsize=64)  # a stream has few widths
def columns(batch: int, width: int) -> npt.NDArray[np.int64]:
    """For each lane, the columns of the clip that it shows from left to right; shape (batch, width).

    Lane b is rolled to the right by b · width // batch pixels; lane 0 is the clip itself.
    """
    shifts = np.arange(batch) * width // batch
    found: npt.NDArray[np.int64] = (np.arange(width)[None, :] - shifts[:, None]) % width
    found.flags.writeable = False
    return found
