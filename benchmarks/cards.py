"""Training on all cards of a machine: efficiency against one card, what NCCL holds, and what leaks with it.

    python -m benchmarks.cards FOLDER                 # all cards, some nine minutes; TensorFlow's part where it is
    python -m benchmarks.cards FOLDER --cpu           # a rehearsal: two ranks with gloo, some three minutes
    python -m benchmarks.cards FOLDER --only one-card --only all-cards
    python -m benchmarks.cards FOLDER --limit 540     # is asked to end after so many seconds, and reports what it saw

Runs `configs/gpu-ranks.toml` with as many ranks as there are cards. FOLDER gets `summary.md`, `summary.json`, the
report and the record of the run. The exit status is that of `soak run`: 1 also where a trial without an expected
verdict leaks. NVLink multicast is off, as a program that uses it can stall cards that others share.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from workloads import executions, frameworks
from workloads.modules import ModuleError

CONFIG = Path(__file__).parents[1] / "configs" / "gpu-ranks.toml"
NO_MULTICAST = {"NCCL_NVLS_ENABLE": "0", "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1", "NVSHMEM_DISABLE_NVLS": "1"}
ONE_CARD = {"stem": 32, "hidden": 256, "batch": 64}
REHEARSAL = {"stem": 8, "hidden": 32, "batch": 4}
ONE, ALL = "one-card", "all-cards"
ACCOUNTS = ("gpu_allocated_bytes", "gpu_process_bytes", "gpu_residual_bytes", "gpu_beyond_tensors_bytes",
            "gpu_peak_allocated_bytes")  # fmt: skip
THREADS = ("torch_threads", "torch_inter_op_threads", "tensorflow_threads", "tensorflow_inter_op_threads")
"""Of the environment of a trial: a thread starts the work of a card, of one or of each of all."""
KEPT = ("report.json", "report.html", "record.sqlite")
"""What is copied out of the folder of the run."""
MIB = 2**20


def cards() -> int:
    """How many PyTorch sees, asked in a process of its own: it takes a context of none here."""
    asked = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    if told.returncode:
        sys.exit(f"PyTorch does not run here: {told.stderr.strip().rpartition(chr(10))[2]}")
    return int(told.stdout)


def config_for(count: int, seconds: int, cpu: bool, only: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of the config for so many cards, without what cannot run here. only: names of trials; none for all."""
    whole = tomllib.loads(CONFIG.read_text())
    whole["run"] |= {"duration": f"{seconds} s", **({"device": "cpu"} if cpu else {})}
    wanted = [trial for trial in whole["trial"] if not only or trial["name"] in only]
    whole["trial"] = [_for(trial, count, cpu) for trial in wanted if _runs_here(trial, cpu)]
    return whole


def _for(trial: Mapping[str, Any], count: int, cpu: bool) -> dict[str, Any]:
    made = dict(trial)
    if "ranks" in made or made.get("execution") == "ddp":
        made["ranks"] = count
    if cpu and "batch" in made.get("options", {}):
        made["options"] = REHEARSAL
    if "devices" in made:
        made["devices"] = 0 if cpu else count
        # One process shares its batch out to all cards, where each rank has one of its own.
        made["options"] = {**made["options"], "batch": (REHEARSAL if cpu else ONE_CARD)["batch"] * count}
    return made


def _runs_here(trial: Mapping[str, Any], cpu: bool) -> bool:
    framework = trial["framework"]
    try:
        module = executions.find(framework, trial.get("execution", executions.DEFAULT))
    except ModuleError:
        return False
    needed = {**frameworks.load(framework).REQUIRES, **module.REQUIRES}
    there = all(importlib.util.find_spec(name) is not None for name in needed)
    return there and ("cpu" if cpu else "cuda") in executions.devices_of(module)


def soak(folder: Path, tables: Mapping[str, Any], limit: float | None = None) -> int:
    """Run it; its report and its record lie in the folder after. Returns its exit status.

    limit: seconds after which it is asked to end, as by Ctrl-C.
    """
    for name in KEPT:
        (folder / name).unlink(missing_ok=True)  # of an earlier run
    path = folder / "cards.toml"
    path.write_text(tomli_w.dumps(tables))
    runs = folder / "runs"
    command = [sys.executable, "-m", "soak", "run", str(path), "--out", str(runs)]
    status = _ended(subprocess.Popen(command, env={**os.environ, **NO_MULTICAST}), limit)
    made = sorted(runs.iterdir()) if runs.exists() else []
    if not made:
        sys.exit(f"soak run ended with status {status} before it had a run folder")
    run = made[-1]
    for name in KEPT:
        if (run / name).exists():
            shutil.copy(run / name, folder / name)
    if not (folder / "report.json").exists():
        sys.exit(f"soak run ended with status {status} without a report; to write it: soak report {run}")
    return status


def _ended(run: subprocess.Popen[bytes], limit: float | None) -> int:
    """Its exit status. `subprocess.run` would kill it on Ctrl-C, where it is about to judge what it saw."""
    try:
        return run.wait(limit)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGINT)
    except KeyboardInterrupt:
        pass  # the terminal told it too
    return run.wait()


def summary(report: Mapping[str, Any], count: int) -> dict[str, Any]:
    """What was seen of each trial, and how all cards compare with one."""
    trials = {trial["name"]: _seen(trial) for trial in report["trials"]}
    return {
        "cards": count,
        "trials": trials,
        "efficiency": {name: _efficiency(trials, name) for name in frameworks.DEFAULTS},
        "nccl_bytes": _nccl(trials),
    }


def _seen(trial: Mapping[str, Any]) -> dict[str, Any]:
    gpu, rate = trial["gpu"] or {"accounts": [], "model": ""}, trial["rate"] or {}
    return {
        "framework": trial["framework"], "execution": trial["execution"], "card": gpu["model"],
        "verdict": trial["verdict"], "layer": trial["layer"], "end": trial["end_reason"],
        "reason": trial["reason"] or trial["end_message"], "message": trial["end_message"],
        "steps_per_second": trial["steps_per_second"], "frames_per_second": trial["frames_per_second"],
        "growth": rate.get("by_dose_text", ""),
        "threads": {name: trial["environment"][name] for name in THREADS if name in trial["environment"]},
        "accounts": [
            {name: account[name] for name in ("metric", "member", "device", "early", "late")}
            for account in gpu["accounts"] if account["metric"] in ACCOUNTS
        ],
    }  # fmt: skip


def _efficiency(trials: Mapping[str, Any], framework: str) -> float | None:
    """Steps a second on all cards, each with the batch of the one card, over those on one."""
    rates = [
        next((t["steps_per_second"] for name, t in trials.items() if name.startswith(f"{which}-{framework}")), None)
        for which in (ONE, ALL)
    ]
    one, every = rates
    return every / one if one and every else None


def _nccl(trials: Mapping[str, Any]) -> dict[str, float]:
    """Of each rank, how much more of its card it holds past PyTorch's allocator than one process without a group."""
    alone, ranks = trials.get(f"{ONE}-torch"), trials.get(f"{ALL}-torch-ddp")
    if alone is None or ranks is None:
        return {}
    held = [account["late"] for account in alone["accounts"] if account["metric"] == "gpu_residual_bytes"]
    theirs = {a["member"]: a["late"] for a in ranks["accounts"] if a["metric"] == "gpu_residual_bytes"}
    return {member: late - held[0] for member, late in theirs.items()} if held else {}


def page(told: Mapping[str, Any]) -> str:
    """The summary for people."""
    lines = ["| trial | execution | verdict | ended | steps a second | residual of each, MiB |", "| --- " * 6 + "|"]
    for name, seen in told["trials"].items():
        held = [a["late"] / MIB for a in seen["accounts"] if a["metric"] == "gpu_residual_bytes"]
        rate = "–" if seen["steps_per_second"] is None else f"{seen['steps_per_second']:.1f}"
        layer = f" in {seen['layer']}" if seen["verdict"] == "leak" else ""
        amounts = ", ".join(f"{amount:.0f}" for amount in held) or "–"
        lines.append(
            f"| {name} | {seen['execution']} | {seen['verdict']}{layer} | {seen['end']} | {rate} | {amounts} |"
        )
    lines += ["", f"{told['cards']} processes or cards."]
    for framework, share in told["efficiency"].items():
        if share is not None:
            lines.append(f"{framework}: {100 * share:.0f} % of the steps a second of one card, on every card.")
    for member, more in told["nccl_bytes"].items():
        lines.append(f"{member}: NCCL holds {more / MIB:.0f} MiB of its card.")
    lines += [f"{name}: {seen['growth']}" for name, seen in told["trials"].items() if seen["growth"]]
    lines += [f"{name}: on no card" for name, seen in told["trials"].items() if not seen["card"]]
    lines += [f"{name}: {seen['message']}" for name, seen in told["trials"].items() if seen["end"] != "finished"]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--cpu", action="store_true", help="two ranks on the processor")
    parser.add_argument("--seconds", type=int, help="of each trial (default: 50, with --cpu 15)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="run these trials alone")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="of all; what still runs then is asked to end")
    options = parser.parse_args(arguments)
    names = {trial["name"] for trial in tomllib.loads(CONFIG.read_text())["trial"]}
    if unknown := set(options.only) - names:
        parser.error(f"--only {unknown.pop()}: expected one of {', '.join(sorted(names))}")
    count = 2 if options.cpu else cards()
    if count < 2:
        sys.exit(f"PyTorch sees {count} GPUs here: expected two or more, or --cpu")
    options.folder.mkdir(parents=True, exist_ok=True)
    seconds = options.seconds or (15 if options.cpu else 50)
    status = soak(options.folder, config_for(count, seconds, options.cpu, options.only), options.limit)
    told = summary(json.loads((options.folder / "report.json").read_text()), count)
    (options.folder / "summary.json").write_text(json.dumps(told, indent=1))
    (options.folder / "summary.md").write_text(page(told))
    print(page(told))
    return status


if __name__ == "__main__":
    sys.exit(main())
