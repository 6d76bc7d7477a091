import pytest

from soak.plan.quantity import parse_duration, parse_interval, parse_rate, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90),
        ("90s", 90),
        ("1 h 30 min", 5400),
        ("3d", 259200),
        ("250ms", 0.25),
        (5, 5),
        (0.5, 0.5),
        ("1.5h", 5400),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["90", " 90 ", 90, 90.0, "90.0"])
def test_a_number_of_seconds_needs_no_unit_in_a_config_and_on_a_command_line(text: object) -> None:
    assert parse_duration(text) == parse_interval(text) == 90.0


@pytest.mark.parametrize("text", ["", "0", "s", "90 parsecs", "-5 s", 0, -1, True, None, "5 s and more", "nan s"])
def test_what_is_no_positive_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"expected|unknown unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 s", 90), (5, 5), (0, 0), (0.0, 0), ("0 s", 0), ("0h ", 0), ("0", 0)]
)
def test_an_interval_is_a_duration_or_nothing(text: object, seconds: float) -> None:
    assert parse_interval(text) == seconds


@pytest.mark.parametrize("text", ["", "0 parsecs", "-1 s", "-1", -1, False, None, float("nan"), [], "nan"])
def test_what_is_neither_a_duration_nor_nothing_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"expected|unknown unit"):
        parse_interval(text)


@pytest.mark.parametrize(("text", "size"), [("512 MiB", 512 * 1024**2), ("1 GB", 10**9), (7, 7), ("0.5KiB", 512)])
def test_a_size_is_read_in_binary_and_decimal_units(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "0 MiB", "12 MiB/h", -3, True])
def test_what_is_no_positive_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_size(text)


@pytest.mark.parametrize(("text", "per_hour"), [("1 MiB/h", 1024**2), ("24 MiB/d", 1024**2), ("1 KiB/s", 3600 * 1024)])
def test_a_rate_is_bytes_per_hour(text: str, per_hour: float) -> None:
    assert parse_rate(text) == pytest.approx(per_hour)


@pytest.mark.parametrize("text", ["1 MiB", "1/h", "MiB/h", "1 MiB/fortnight"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        parse_rate(text)
