"""The report in a real browser: it reads, draws, answers a hand, and asks the network for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import catalog, document
from tests.browsing import in_every_look, visited

pytestmark = pytest.mark.browser

CHARTS = 6
TENSORFLOW, TORCH = 0, 1
"""Charts of the first row, live heap."""


@pytest.fixture
def path(leaky: Any, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(catalog.load("html").render(document.build(leaky), leaky))
    return path


@pytest.fixture
def page(browser: Any, path: Path) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.goto(path.as_uri())
    yield opened
    opened.close()


def plot(page: Any, place: int = 0) -> Any:
    """The plotting area of a chart, drawn."""
    page.locator(".chart").nth(place).scroll_into_view_if_needed()
    area = page.locator(".chart").nth(place).locator(".u-over")
    area.wait_for()
    return area


def point_at(page: Any, area: Any, share: float) -> str:
    """What is told at a place, as a share of the width of a chart."""
    box = area.bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    area.locator(".tip").wait_for()
    return str(area.locator(".tip").inner_text())


def told(text: str) -> tuple[float, float]:
    """MiB and seconds of the first value."""
    found = re.search(r": ([\d.]+) MiB at ([\d.]+) s", text)
    assert found is not None, text
    return float(found[1]), float(found[2])


@in_every_look
def test_it_reads_without_error_or_request(browser: Any, leaky: Any, path: Path, scheme: str, width: int) -> None:
    with visited(browser, path, width, scheme) as page:
        assert page.tab.locator(".headline").inner_text() == document.build(leaky)["run"]["headline"]
        assert page.tab.locator(".chart").count() == CHARTS
        for place in range(CHARTS):
            plot(page.tab, place)
            box = page.tab.locator(".chart").nth(place).locator("canvas").bounding_box()
            assert box["width"] > 250
            assert box["height"] > 150
        page.reads()


@in_every_look
def test_nothing_keeps_people_out(browser: Any, path: Path, scheme: str, width: int) -> None:
    with visited(browser, path, width, scheme) as page:
        page.unfold()
        plot(page.tab)
        page.keeps_nobody_out()


def test_only_what_is_in_view_is_drawn(page: Any) -> None:
    assert page.locator(".chart.live").count() == 0
    plot(page, CHARTS - 1)
    page.evaluate("scrollTo(0, 0)")
    page.locator(".chart.live").first.wait_for(state="detached")


def test_a_hand_is_told_values_and_events(page: Any) -> None:
    mib, seconds = told(point_at(page, plot(page, TORCH), 0.5))
    assert seconds == pytest.approx(30, abs=0.3)
    assert mib == pytest.approx(100 + seconds, abs=0.3), "it leaks 1 MiB/s from 100 MiB on"
    assert "31 s: stacks: it hung <here>" in point_at(page, plot(page, TENSORFLOW), 31 / 60)


def test_charts_of_a_row_zoom_together_and_a_double_click_ends_it(page: Any) -> None:
    one, other = plot(page, TENSORFLOW), plot(page, TORCH)
    assert told(point_at(page, other, 0.99))[1] == pytest.approx(59.4, abs=0.3)
    box = one.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40, steps=4)
    page.mouse.up()
    for area in (one, other):
        assert told(point_at(page, area, 0.01))[1] == pytest.approx(15.15, abs=0.3)
        assert told(point_at(page, area, 0.99))[1] == pytest.approx(29.85, abs=0.3)
    page.mouse.dblclick(box["x"] + 20, box["y"] + 40)
    assert told(point_at(page, other, 0.99))[1] == pytest.approx(59.4, abs=0.3)


def test_it_draws_under_the_policy_of_the_service_too(browser: Any, path: Path) -> None:
    web = pytest.importorskip("soak.service.web")
    page = browser.new_page()
    served = {"content_type": "text/html; charset=utf-8", "headers": {"Content-Security-Policy": web._REPORT}}
    page.route("**/*", lambda route: route.fulfill(body=path.read_text(), **served))
    page.goto("http://soak.test/reports/demo-1/")
    plot(page)
    page.close()


def test_all_of_it_is_there_without_a_script(browser: Any, path: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(path.as_uri())
    pictures = page.locator(".chart > svg")
    assert pictures.count() == CHARTS
    assert all(pictures.nth(k).bounding_box()["height"] > 150 for k in range(CHARTS))
    assert page.locator(".legend").first.is_visible()
    assert not page.locator(".scripted").is_visible()
    page.close()


def test_paper_holds_pictures_and_the_config(page: Any) -> None:
    plot(page)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".chart > svg").first.is_visible()
    assert not page.locator(".uplot").first.is_visible()
    assert page.locator("details.paper pre").last.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "paper is white"


def test_a_narrow_page_shows_growth_and_probability_of_every_trial(browser: Any, path: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(path.as_uri())
    for label in ("growth per hour", "leak probability"):
        cells = page.locator(f"#trials ~ .scroll td[data-label='{label}']")
        assert cells.count() == 3
        for box in (cells.nth(k).bounding_box() for k in range(3)):
            assert 0 <= box["x"] < box["x"] + box["width"] <= 390
    page.close()
