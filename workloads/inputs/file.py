"""Clips of a real video file, decoded and played in a loop."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workloads.inputs import synthetic
from workloads.options import OptionError
from workloads.protocol.source import Source
from workloads.video import options as video

ITEM = "clip"
DOSES = {**video.DOSES, "decode_errors": "Packets of the file that could not be decoded"}
ESCALATES = video.ESCALATES
REQUIRES = {"av": "soak[video]"}


@dataclass(frozen=True)
class Options(video.ClipOptions):
    """The file, and how its frames are cut."""

    path: str = ""
    """Of the video file."""


def check(options: Options) -> None:
    """See that the file is there."""
    if not options.path:
        raise OptionError("path", options.path, 'expected a video file, as source is "file"')
    try:
        found = Path(options.path).is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise OptionError("path", options.path, "expected a video file that exists")


def open_source(options: Options, seed: int) -> Source:
    """Clips without end; the seed draws their lengths and resolutions."""
    from workloads.video.clips import Clips
    from workloads.video.decoded import Decoded

    return Clips(options, seed, Decoded(options.path, options.channels))


def golden(options: Options, seed: int) -> Any:
    """A synthetic clip of the same shape: of a file, no answer is known beforehand."""
    shared = {name: value for name, value in asdict(options).items() if name != "path"}
    return synthetic.open_source(synthetic.Options(**shared), seed).next()
