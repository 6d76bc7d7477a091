"""The service on a card that answers what a scenario says: whose turn it is, what is scraped, a driver that hangs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu.stub import MIB, GpuStub
from tests.integration.serving import Served
from tests.patience import PATIENCE, wait_for

pytestmark = pytest.mark.framework
RUN = """
[run]
duration = "15 s"
sample_interval = "0.25 s"
[judge]
alarm = 0.0
[stream]
fps = 400
pace = "real_time"
[[trial]]
workload = "fault_device_native"
framework = "none"
options = { mib_per_second = 0.0 }
"""
SCHEDULE = '[[schedule]]\nname = "gpu"\nconfig = "gpu.toml"\nat = 2020-01-01T00:00:00Z\ndevice = "cuda:0"\n'


@pytest.fixture
def served(gpu_stub: GpuStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name, value in gpu_stub.env().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "gpu.toml").write_text(RUN)
    service = Served(tmp_path)
    yield service
    if service.process is not None:
        service.stop()


def state(service: Served, name: str) -> bool:
    return f'soak_run_state{{schedule="gpu",soak_run_state="{name}"}} 1.0' in service.get("/metrics")


def samples(service: Served, name: str) -> dict[str, float]:
    """Of one metric: labels → value."""
    lines = [line for line in service.get("/metrics").splitlines() if line.startswith(f"{name}{{")]
    return {line[len(name) : line.rindex("}") + 1]: float(line[line.rindex("}") + 1 :].split()[0]) for line in lines}


def test_a_run_gives_way_to_others_on_its_device_and_goes_on(served: Served, gpu_stub: GpuStub) -> None:
    gpu_stub.scenario.set_card(0, processes={1: 300 * MIB})
    served.config(SCHEDULE, conditions='yield_to_others = "pause"')
    served.start()
    waiting = wait_for(lambda: served.json("/api/v1/status")["waiting"])
    wait_for(lambda: served.json("/api/v1/status")["waiting"][0]["reason"] == "the device is used by process 1")
    assert waiting[0]["device"] == "cuda:0"
    gpu_stub.scenario.set_card(0, processes=None)
    memory = wait_for(lambda: [k for k in samples(served, "soak_memory_bytes") if 'layer="gpu_process"' in k])
    assert 'device="cuda:0"' in memory[0]
    layers = [key.partition("layer=")[2] for key in samples(served, "soak_memory_bytes") if "trial=" in key]
    assert len(layers) == len(set(layers)), "one amount a layer"
    assert set(samples(served, "soak_device_up").values()) == {1.0}
    gpu_stub.scenario.set_card(0, processes={1: 300 * MIB})
    wait_for(lambda: state(served, "paused"))
    gpu_stub.scenario.set_card(0, processes=None)
    wait_for(lambda: state(served, "running"))
    (run,) = wait_for(served.runs)
    assert run["verdict"] in ("pass", "inconclusive"), "a pause is no hang"
    wait_for(lambda: served.runs()[0]["reports"])
    kinds = [event["kind"] for event in served.json(f"/api/v1/runs/{run['id']}/report")["events"]]
    assert kinds.index("paused") < kinds.index("resumed")


def test_a_driver_that_hangs_costs_its_samplers_and_not_the_run(served: Served, gpu_stub: GpuStub) -> None:
    served.config(SCHEDULE)
    served.start()
    wait_for(lambda: any('layer="gpu_process"' in key for key in samples(served, "soak_memory_bytes")))
    gpu_stub.scenario.set_card(0, hang=True)

    def stalled() -> set[str]:
        found = samples(served, "soak_sampler_stalled").items()
        return {key.partition('sampler="')[2].partition('"')[0] for key, value in found if value}

    wait_for(lambda: stalled() == {"gpu_device", "gpu_process"})
    assert served.process is not None
    (run,) = wait_for(served.runs)
    assert run["verdict"] in ("pass", "inconclusive")
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(PATIENCE) == 0, "a look at the driver that hangs holds nothing up"
