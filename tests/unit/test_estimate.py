import pytest

from monitors.estimate import CAPACITY, SETTLING, RunningRate


def test_a_straight_line_is_found_exactly() -> None:
    rate = RunningRate()
    for second in range(120):
        rate.add(second, 1e6 + 100.0 * second)
    assert rate.per_hour() == pytest.approx(360_000.0)


def test_a_warm_up_is_forgotten() -> None:
    rate = RunningRate()
    for second in range(2000):
        rate.add(second, min(second, 100) * 1e6)
    assert rate.per_hour() == 0.0


def test_a_sawtooth_has_no_slope() -> None:
    rate = RunningRate(block_seconds=10.0)
    for second in range(600):
        rate.add(second, (second % 7) * 1e6)
    assert rate.per_hour() == 0.0


def test_too_little_is_not_judged() -> None:
    rate = RunningRate()
    for second in range(8):
        rate.add(second, float(second))
    assert rate.per_hour() is None


def test_memory_is_bounded() -> None:
    rate = RunningRate()
    for second in range(100_000):
        rate.add(second, 2.0 * second)
    assert len(rate._blocks) < CAPACITY
    assert rate.per_hour() == pytest.approx(7200.0)


def test_there_is_no_rate_while_allocators_settle() -> None:
    rate = RunningRate()
    for tenth in range(int(10 * SETTLING)):
        rate.add(100 + tenth / 10, 1e9 * (1 - 0.5**tenth))
        assert rate.per_hour() is None
    for second in range(1, 10):
        rate.add(100 + SETTLING + second, 1e9)
    assert rate.per_hour() == 0.0
