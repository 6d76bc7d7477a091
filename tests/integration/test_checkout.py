"""soak from a folder with its files, by an interpreter that has the packages it needs but not soak itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from soak import start
from tests.installed import OURS, ROOT, link_packages
from tests.patience import PATIENCE

CONFIG = """
[run]
duration = "3 s"
sample_interval = "0.5 s"
[[trial]]
workload = "lookalike_one_step"
framework = "none"
"""


class Checkout:
    """A copy of the tree, and a working folder with files that are named like modules of ours and of others."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.packages, self.work = folder / "tree", folder / "packages", folder / "work"
        for name in OURS:
            shutil.copytree(ROOT / name, self.tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for made in (self.packages, self.work):
            made.mkdir()
        link_packages(self.packages)
        for name in ("soak", "msgspec", "numpy", "runpy", "json"):
            (self.work / f"{name}.py").write_text("raise SystemExit('a file of the working folder was imported')\n")

    def run(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        # -S leaves out what is installed, with it an editable soak; -P is not passed on to the children by anything.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environ["PYTHONPATH"] = str(self.packages)
        return subprocess.run(
            [sys.executable, "-S", *words], cwd=cwd or self.tree, env=environ, capture_output=True, text=True,
            timeout=PATIENCE,
        )  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_there_is_no_soak_but_in_the_checkout(checkout: Checkout) -> None:
    assert "No module named" in checkout.run("-P", "-c", "import soak.cli", cwd=checkout.work.parent).stderr


def test_without_what_it_needs_it_says_how_to_install_it(checkout: Checkout) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    said = subprocess.run(
        [sys.executable, "-S", "-m", "soak", "--version"], cwd=checkout.tree, env=environ, capture_output=True,
        text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert said.returncode == 4
    assert "is not installed in" in said.stderr
    assert "`pip install .`" in said.stderr
    assert "internal error" not in said.stderr


def test_helper_processes_run_the_code_of_the_checkout(checkout: Checkout) -> None:
    (checkout.tree / "soak/probe.py").write_text("import soak, monitors; print(soak.__file__, monitors.__file__)")
    said = checkout.run("-P", str(checkout.tree / "soak/start.py"), "soak.probe", cwd=checkout.work)
    assert said.stdout.split() == [str(checkout.tree / name / "__init__.py") for name in ("soak", "monitors")]


def test_doctor_can_ask_the_driver(checkout: Checkout) -> None:
    said = checkout.run("-m", "soak", "doctor", "--quick", "--json")
    assert "No module named" not in said.stdout + said.stderr
    assert "did not respond" not in said.stdout, "the reader of the GPUs runs"
    assert json.loads(said.stdout)["schema"] == "soak.doctor/1"


def test_a_table_of_parquet_is_read_in_a_process_of_its_own(checkout: Checkout) -> None:
    path = checkout.work / "flat.parquet"
    parquet.write_table(pa.table({"t": [float(n) for n in range(600)], "rss_bytes": [5e8] * 600}), path)
    said = checkout.run("-m", "soak", "analyze", str(path))
    assert said.returncode in (0, 3), said.stderr
    assert "damaged" not in said.stderr


@pytest.mark.framework
def test_a_run_is_judged_and_reported(checkout: Checkout) -> None:
    (checkout.work / "c.toml").write_text(CONFIG)
    said = checkout.run("-m", "soak", "run", str(checkout.work / "c.toml"), "--out", str(checkout.work / "runs"))
    assert "No module named" not in said.stdout + said.stderr
    [report] = (checkout.work / "runs").glob("*/report.json")
    trial = json.loads(report.read_text())["trials"][0]
    assert trial["end_reason"] == "finished", trial
    assert trial["verdict"] == "inconclusive", trial["reason"]


def test_no_file_of_the_working_folder_stands_for_a_module(checkout: Checkout) -> None:
    said = subprocess.run(
        start.command("soak.engine.short_lived", "soak", "--version"), cwd=checkout.work, capture_output=True,
        text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(
    ("target", "command"),
    [("matrix", "run configs/matrix.toml"), ("serving", "run configs/serving.toml"), ("claims", "claims")],
)
def test_a_page_of_the_docs_is_made_from_a_fresh_checkout(target: str, command: str, tmp_path: Path) -> None:
    if shutil.which("make") is None and not os.environ.get("CI"):
        pytest.skip("make is not installed")
    bin_folder = tmp_path / "venv" / "bin"
    # What make would run where nothing is there yet, in its order.
    told = subprocess.run(
        ["make", "--dry-run", target, f"VENV={bin_folder.parent}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    (runs,) = (at for at, line in enumerate(told) if line.startswith(f"{bin_folder}/soak {command}"))
    before = "\n".join(told[:runs])
    assert "[test]" in before, "FastAPI is a part of that extra"
    assert "-r soak/environments/matrix.txt" in before
    assert "-r soak/environments/matrix.no-deps.txt" in before
    assert (f"{bin_folder}/soak env tfjs" in before) == (target == "matrix")
