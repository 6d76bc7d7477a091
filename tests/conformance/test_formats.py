"""Every report format keeps the contract of `reports.catalog`."""

from __future__ import annotations

from typing import Any

import pytest

from reports import catalog, document


@pytest.mark.parametrize("name", catalog.names())
def test_it_renders_any_record(name: str, calm: Any, leaky: Any, empty_record: Any) -> None:
    module = catalog.load(name)
    for record in (calm, leaky, empty_record(verdict=None, ended=None)):
        text = module.render(document.build(record), record)
        assert isinstance(text, str)
        assert record.info.name in text
        assert text == module.render(document.build(record), record), "the same record, the same report"


def test_files_differ() -> None:
    files = [catalog.load(name).FILE for name in catalog.names()]
    assert len(set(files)) == len(files) >= 4


@pytest.mark.parametrize("name", catalog.names())
def test_it_says_what_it_is(name: str) -> None:
    assert len((catalog.load(name).__doc__ or "").partition("\n")[0]) > 15


def test_an_unknown_format_names_the_known() -> None:
    with pytest.raises(LookupError, match="expected one of html, json"):
        catalog.load("pdf")
