from hypothesis import given
from hypothesis import strategies as st

from monitors.labels import SeriesKey, parse_series_name, series_name

HOSTILE = st.text(st.sampled_from('ab{}",=\\\n é') | st.characters(codec="utf-8"), max_size=20)
TEXT = HOSTILE | st.sampled_from(["rank 1 of 2", "cuda:0", 'member="a"', 'device="x",label="y"', "\\n", '\\"'])


@given(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), TEXT, TEXT, TEXT)
def test_every_name_says_again_what_it_was_made_of(metric: str, member: str, device: str, label: str) -> None:
    key = SeriesKey(metric, member, device, label)
    assert parse_series_name(series_name(*key)) == key


@given(HOSTILE)
def test_any_text_is_some_name(text: str) -> None:
    assert parse_series_name(text).metric == text.partition("{")[0] or parse_series_name(text) == SeriesKey(text)


def test_names_are_those_of_prometheus_but_for_a_bare_label() -> None:
    assert series_name("fds") == "fds"
    assert series_name("anonymous_bytes", "rank 1") == 'anonymous_bytes{member="rank 1"}'
    assert series_name("x_bytes", "a", "cuda:0") == 'x_bytes{member="a",device="cuda:0"}'
    assert series_name("gpu_throttled", label="hw_thermal") == "gpu_throttled{hw_thermal}"
    assert series_name("gpu_throttled", device="cuda:0", label="b") == 'gpu_throttled{device="cuda:0",label="b"}'
