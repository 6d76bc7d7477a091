"""What a command is called by whoever starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.plan import config
from soak.plan.plan import make_plan
from soak.plan.program import name_of


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python train.py --epochs 3", "train"),
        ("/usr/bin/python3.11 -u -W error -X dev lab/train.py", "train"),
        ("python3.13t -m lab.train", "lab.train"),
        ("python -um http.server 8000", "http.server"),
        ("python -mpytest tests", "pytest"),
        ("python -X dev -Bumlab.train a", "lab.train"),
        ("python -- train.py", "train"),
        ("python - x", "python"),
        ("python -ccode x", "python"),
        ("python -c code train.py", "python"),
        ("python", "python"),
        ("python -", "python"),
        ("bash -eu -o pipefail ./nightly.sh", "nightly"),
        ("bash -euo pipefail train.sh", "train"),
        ("bash -euxo pipefail -c code", "bash"),
        ("bash -lc code", "bash"),
        ("sh -c code", "sh"),
        ("env -u TOKEN OMP_NUM_THREADS=2 PASSWORD=hunter2 python train.py", "train"),
        ("env A=1 bash -c code", "bash"),
        ("env", "env"),
        ("env -S python train.py", "env"),
        ("nice -n 10 python train.py", "train"),
        ("nohup ./server --port 80", "server"),
        ("torchrun --standalone --nproc-per-node 2 train.py --lr 1", "train"),
        ("torchrun --nproc-per-node=2 -m lab.train", "lab.train"),
        ("python -m torch.distributed.run --nproc_per_node 2 train.py", "train"),
        ("accelerate launch --config_file c.yaml train.py", "train"),
        ("uv run --with numpy python -m lab.train", "lab.train"),
        ("uv run pytest", "uv"),
        ("uv run train.py", "train"),
        ("srun -m block python train.py", "train"),
        ("mpirun -np 2 ./solver input.py", "mpirun"),
        ("timeout 60 bash train.sh", "train"),
        ("timeout 60 ./server", "timeout"),
        ("uvicorn app:app --port 80", "uvicorn"),
        ("./train.py", "train"),
        ("./job-1.2", "job-1.2"),
        (".py", ".py"),
        ("/", ""),
        ("", ""),
    ],
)
def test_a_command_is_called_by_what_it_runs(command: str, name: str) -> None:
    assert name_of(command.split()) == name


def test_a_name_is_no_longer_than_a_folder_may_be_called() -> None:
    assert len(name_of(["python", "x" * 10_000])) == 100


def test_a_trial_is_called_by_what_its_command_runs(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[[trial]]\ncommand = ["python", "-u", "lab/train.py"]\n')
    (trial,) = make_plan(config.load(path))
    assert trial.name == "train"


def test_what_a_command_is_called_does_not_tell_which_it_may_be_compared_with(tmp_path: Path) -> None:
    """Its words do; how a name is made of them may change from one release to the next."""
    path = tmp_path / "c.toml"
    path.write_text('[run]\nduration = "60 s"\n[[trial]]\ncommand = ["python", "train.py"]\n')
    (trial,) = make_plan(config.load(path))
    assert trial.block == "e44c2a742fef"


def test_commands_that_would_be_called_alike_are_told_apart_by_their_programs(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        '[[trial]]\ncommand = ["python3", "train.py"]\n[[trial]]\ncommand = ["python3.12", "train.py"]\n'
        '[[trial]]\nname = "other"\ncommand = ["python3", "train.py"]\n'
    )
    assert {trial.name for trial in make_plan(config.load(path))} == {"train-python3", "train-python3.12", "other"}
