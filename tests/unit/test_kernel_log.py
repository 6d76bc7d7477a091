"""What the NVIDIA driver says in the kernel's log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.sources.kernel_log import KernelLog, parse
from monitors.sources.nvml import bus_of

OLD = "NVRM: Xid (0000:3b:00): 79, GPU has fallen off the bus."
NEW = "NVRM: Xid (PCI:0000:3b:00): 31, pid=123, name=python3, Ch 00000008, MMU Fault"
PIECES = st.lists(
    st.sampled_from(
        ["NVRM: ", "nvrm: ", "Xid (", "PCI:", "0000:3b:00", ".0", "): ", "79", "9" * 5000, "²", "٣", ", pid=", "'",
         "<unknown>", "GPU has fallen off the bus", "\n", " "]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("line", "xid", "pid"),
    [
        (OLD, 79, None),
        (NEW, 31, 123),
        ("NVRM: Xid (PCI:0000:3b:00): 13, pid='123', name=python3, Graphics Exception", 13, 123),
        ("NVRM: Xid (PCI:0000:3b:00): 48, pid='<unknown>', name=<unknown>, DBE", 48, None),
        ("NVRM: Xid (PCI:0000:3b:00): 63, pid=<unknown>, name=<unknown>, Row Remapper", 63, None),
        ("NVRM: Xid (PCI:0000:3b:00.0): 94, Contained", 94, None),
        ("NVRM: Xid (PCI:00000000:3B:00): 119, pid=7, Timeout after 6s of waiting for RPC response", 119, 7),
        ("NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.", None, None),
        ("NVRM: GPU at PCI:00000000:3b:00: GPU has fallen off the bus.", None, None),
    ],
)
def test_a_complaint_names_its_card(line: str, xid: int | None, pid: int | None) -> None:
    complaint = parse(f"4,1534,98230128,-;{line}")
    assert complaint is not None
    assert (complaint.bus, complaint.xid, complaint.pid) == ("0000:3b:00", xid, pid)
    assert complaint.text.startswith("NVRM: ")
    assert complaint.text in line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "6,1,1,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.65.06",
        "4,1,1,-;pcieport 0000:3b:00.0: device has fallen off the bus",
        "4,1,1,-;NVRM: Xid (0000:3b:00): no number",
        f"4,1,1,-;NVRM: Xid (0000:3b:00): {'7' * 5000}",
    ],
)
def test_other_lines_are_no_complaints(line: str) -> None:
    assert parse(line) is None


@given(st.text() | PIECES)
def test_any_text_is_a_complaint_only_of_the_driver(line: str) -> None:
    assert parse(line) is None or "NVRM" in line


@given(
    st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 31), st.integers(0, 999), st.sampled_from(["", "PCI:"])
)
def test_every_card_and_number_is_read_back_in_both_forms(
    domain: int, bus: int, slot: int, xid: int, form: str
) -> None:
    address = f"{domain:04x}:{bus:02x}:{slot:02x}"
    complaint = parse(f"NVRM: Xid ({form}{address}): {xid}, pid=5, name=x")
    assert complaint is not None
    assert (complaint.bus, complaint.xid, complaint.pid) == (address, xid, 5)
    assert complaint.bus == bus_of(f"{domain:08X}:{bus:02X}:{slot:02X}.0"), "as NVML names the same card"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Path, KernelLog]]:
    path = tmp_path / "kmsg"
    path.write_text(f"4,1,1,-;{OLD}\n")
    with closing(KernelLog(path)) as opened:
        yield path, opened


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_what_was_said_before_it_was_opened_is_not_told(log: tuple[Path, KernelLog]) -> None:
    assert list(log[1].complaints()) == []


def test_what_is_said_afterwards_is_told_once(log: tuple[Path, KernelLog]) -> None:
    path, opened = log
    append(path, f"4,2,2,-;{NEW}", " SUBSYSTEM=pci", "6,3,3,-;usb 1-1: new device", f"4,4,4,-;{OLD}")
    assert [complaint.xid for complaint in opened.complaints()] == [31, 79]
    assert list(opened.complaints()) == []


def test_bytes_that_are_no_text_harm_nothing(log: tuple[Path, KernelLog]) -> None:
    path, opened = log
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n" + f"4,2,2,-;{NEW}\n".encode())
    assert [complaint.xid for complaint in opened.complaints()] == [31]


def test_reading_waits_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    with closing(KernelLog(path)) as opened:
        assert list(opened.complaints()) == []
        with path.open("w") as writer:
            assert list(opened.complaints()) == [], "a writer that is there and silent"
            writer.write(f"4,1,1,-;{NEW}\n")
            writer.flush()
            assert [complaint.xid for complaint in opened.complaints()] == [31]


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KernelLog(tmp_path / "kmsg")
