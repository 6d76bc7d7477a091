"""What all pages share: templates in which no name may be missing and no text is markup, and styles within the page."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitors.text import long_text

_FOLDER = Path(__file__).parent


def environment() -> Environment:
    """The templates, for whoever adds filters of its own. A name that is not given is an error."""
    return Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_fit,
    )  # fmt: skip


def render(template: str, **values: object) -> str:
    """A page of a template, for any browser."""
    return _shared().get_template(template).render(**values)


@functools.cache
def style(*names: str) -> Markup:
    """Some of `static/`, one after the other, to stand in a page."""
    styles = ((_FOLDER / "static" / name).read_text(encoding="utf-8") for name in names)
    return Markup("".join(styles))  # noqa: S704  (ours)


@functools.cache
def _shared() -> Environment:
    return environment()


def _fit(value: object) -> object:
    """Texts that do not come from a body (names and reasons of series) are as fit for the page as those that do."""
    return long_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value
