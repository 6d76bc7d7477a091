"""Pages in a real browser: in both schemes, wide and narrow; what each says and asks for is kept."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_LIGHT = "rgb(251, 250, 248)"
_UNFOLD = "document.querySelectorAll('details').forEach(folded => { folded.open = true; })"


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser, headless. Skips without one."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def in_every_look(test: Any) -> Any:
    """Parametrize a test with `width`, in pixels, and `scheme`, of colours."""
    return pytest.mark.parametrize("scheme", SCHEMES)(pytest.mark.parametrize("width", WIDTHS)(test))


@dataclass
class VisitedPage:
    """A page that was opened from a file."""

    tab: Any
    path: Path
    width: int
    scheme: str
    said: list[str] = field(default_factory=list)
    """On its console, and errors."""
    asked: list[str] = field(default_factory=list)
    """Addresses that it requested."""

    def reads(self) -> None:
        """It fits its window, has the colours that were wished for, says nothing and asks for nothing but itself."""
        assert self.tab.evaluate("document.documentElement.scrollWidth") <= self.width, "nothing sticks out sideways"
        background = self.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == _LIGHT) == (self.scheme == "light")
        assert self.said == []
        assert self.asked == [self.path.as_uri()]

    def unfold(self) -> None:
        """All that is folded."""
        self.tab.evaluate(_UNFOLD)

    def keeps_nobody_out(self) -> None:
        """By the rules of axe, with everything unfolded."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        self.unfold()
        found = axe.Axe().run(self.tab)
        assert found.violations_count == 0, found.generate_report()


@contextlib.contextmanager
def visited(browser: Any, path: Path, width: int, scheme: str) -> Iterator[VisitedPage]:
    """A page, opened and listened to; closed at the end."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = VisitedPage(tab, path, width, scheme)
    tab.on("console", lambda message: page.said.append(message.text))
    tab.on("pageerror", lambda error: page.said.append(str(error)))
    tab.on("request", lambda request: page.asked.append(request.url))
    tab.goto(path.as_uri())
    try:
        yield page
    finally:
        tab.close()
