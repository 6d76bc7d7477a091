"""The pytest plugin in a project of its own, found by its entry point as pytest finds it wherever soak is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
TESTS = """
import time
from leaky.cache import Cache, remember
from leaky import cache


def clean():
    bytearray(4096)
    time.sleep(0.001)


def broken():
    raise ValueError("broken on purpose")


def test_leak(soak_check):
    soak_check(remember, seconds=20)


def test_leak_of_a_class(soak_check):
    soak_check(Cache, seconds=20, options={"bytes": 16384})


def test_clean(soak_check):
    found = soak_check(clean, seconds=12, inconclusive="pass")
    assert found.steps > 100


def test_too_short(soak_check):
    soak_check(clean, seconds=1)


def test_too_short_to_matter(soak_check):
    soak_check(clean, seconds=1, inconclusive="skip")


def test_broken(soak_check):
    soak_check(broken, seconds=5)


def test_lambda(soak_check):
    soak_check(lambda: None, seconds=5)
"""
LEAKY = """
import time
from .amounts import AMOUNT

kept = []


def remember():
    kept.append(bytearray(b"x" * AMOUNT))
    time.sleep(0.002)


class Cache:
    def __init__(self, bytes):
        self.bytes, self.kept = bytes, []

    def step(self):
        self.kept.append(bytearray(b"x" * self.bytes))
        time.sleep(0.002)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a package and tests; and soak's entry point where an installation would have it."""
    package, installed = tmp_path / "leaky", tmp_path / "site/soak_plugin-1.dist-info"
    package.mkdir()
    installed.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "amounts.py").write_text("AMOUNT = 16384\n")
    (package / "cache.py").write_text(LEAKY)
    (tmp_path / "test_soaked.py").write_text(TESTS)
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    lines = "".join(f"{name} = {place}\n" for name, place in points.items())
    (installed / "entry_points.txt").write_text(f"[pytest11]\n{lines}")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: soak-plugin\nVersion: 1\n")
    return tmp_path


def run(project: Path, *words: str, **more: str) -> tuple[int, str]:
    path = os.pathsep.join([str(project / "site"), str(ROOT), str(project)])
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words], cwd=project, text=True,
        env={**environ, "PYTHONPATH": path, "COLUMNS": "200", **more}, capture_output=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_leak_fails_its_test_with_rate_probability_and_layer(project: Path) -> None:
    code, said = run(project, "--soak-report=kept", "-k", "test_leak")
    assert code == 1, said
    assert "2 failed" in said, said
    for part in ("leak: ", "95 % interval", "per step", "that it leaks", "host_heap"):
        assert said.count(part) >= 2, said
    reports = list((project / "kept").glob("test_leak*/report.html"))
    assert len(reports) == 2
    assert all(str(report) in said for report in reports)


def test_the_rest_passes_is_skipped_or_fails_for_its_reason(project: Path) -> None:
    code, said = run(project, "-k", "not test_leak", "-rs")
    assert code == 1, said
    assert "3 failed, 1 passed, 1 skipped" in said, said
    assert "inconclusive: " in said
    assert "broken on purpose" in said
    assert "test_soaked.py" in said
    assert "<lambda>: expected a function, generator function or class at the top level of a module" in said
    assert "--soak-report=DIR keeps the report" in said
    assert not list(project.glob("**/record.sqlite"))


def test_a_check_that_came_to_nothing_is_a_line_and_no_traceback(project: Path) -> None:
    (project / "test_soaked.py").write_text(
        "import soak\n\n\ndef fails(*given, **options):\n    raise soak.SoakError('the record is gone')\n\n\n"
        "def test_gone(soak_check, monkeypatch):\n    monkeypatch.setattr('soak.runs.checking.check', fails)\n"
        "    soak_check('x:y')\n"
    )
    code, said = run(project)
    assert code == 1, said
    assert "the record is gone" in said
    assert "test_soaked.py:5" not in said, said


def test_a_project_that_does_not_use_it_pays_nothing(project: Path) -> None:
    (project / "test_soaked.py").unlink()
    code = "import sys\n\ndef test_light():\n    assert 'soak.pytest_plugin' in sys.modules\n"
    heavy = "('msgspec', 'numpy', 'pyarrow', 'rich', 'soak.errors', 'workloads', 'monitors')"
    (project / "test_light.py").write_text(f"{code}    assert not [name for name in {heavy} if name in sys.modules]\n")
    # Alone: other plugins of this environment may import what they like.
    status, said = run(project, "-p", "soak.pytest_plugin", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert status == 0, said
    assert "--soak-report=DIR" in run(project, "--help")[1]
