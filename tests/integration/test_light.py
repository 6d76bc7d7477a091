"""What a supervisor has imported once its run is over, by its own account; contracts see no import by name."""

import json
import subprocess
import sys

import pytest

from tests.integration.conftest import Soak
from tests.patience import PATIENCE

HEAVY = {"numpy", "_hashlib", "pyarrow", "jinja2", "pynvml", "psutil", "torch", "tensorflow", "starlette", "uvicorn"}
CONFIG = """
[run]
duration = "2 s"
sample_interval = "0.5 s"
[[trial]]
workload = "recurrent"
framework = "torch"
"""


PROBE = """
import json, sys
from soak.cli import main
code = main(["run", "soak.toml"])
with open("modules.json", "w") as file:
    json.dump([code, sorted(sys.modules)], file)
"""


@pytest.mark.framework
def test_a_supervisor_imports_nothing_heavy_all_run_long(soak: Soak) -> None:
    soak.config(CONFIG)
    ended = subprocess.run(
        [sys.executable, "-P", "-c", PROBE], cwd=soak.folder, capture_output=True, text=True, timeout=PATIENCE
    )
    code, imported = json.loads((soak.folder / "modules.json").read_text())
    assert code == 3, ended.stdout + ended.stderr
    assert "monitors.samplers.process_memory" in imported, "what is found by its name is among them"
    assert {name.partition(".")[0] for name in imported} & HEAVY == set()
    assert [name for name in imported if name.startswith(("soak.service", "monitors.detection"))] == []
