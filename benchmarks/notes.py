"""What stands on a page besides what a record shows: what was said of the machine, and how frameworks were built."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

_FACTS = {
    "PyTorch": {"torch_onednn": "off"},
    "TensorFlow": {"tensorflow_onednn": "off", "TF_ENABLE_ONEDNN_OPTS": "0"},
}
"""Of the environment of a trial, by framework: what they say where oneDNN was not used."""


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--note TEXT`, any number of times; an empty one says nothing."""
    parser.add_argument("--note", action="append", default=[], metavar="TEXT", dest="notes",
                        help="a sentence for the top of the page, such as what else used the machine")  # fmt: skip


def without_onednn(environments: Iterable[Mapping[str, str]]) -> list[str]:
    """A sentence for each framework that ran without oneDNN. environments: of each trial, as its record tells."""
    told = list(environments)
    sentences = []
    for title, facts in _FACTS.items():
        off = sum(any(each.get(name) == said for name, said in facts.items()) for each in told)
        if off:
            where = "this record" if off == len(told) else f"{off} of {len(told)} trials"
            sentences.append(f"In {where} {title} ran without oneDNN, which is not how it is shipped.")
    return sentences
