"""Messages and orders come back as they were sent; whatever else arrives is told, never guessed at."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.protocol.order import StreamSpec, TrialSpec, from_json, to_json
from workloads.protocol.wire import (
    REASONS,
    STAGES,
    Beat,
    Done,
    Hello,
    Message,
    Probe,
    ProbeBegun,
    Ready,
    RecordNote,
    WireError,
    decode,
    encode,
)

text = st.text(max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
messages = st.one_of(
    st.builds(Hello, st.integers(1, 2**22), text),
    st.builds(Ready, st.dictionaries(text, text, max_size=4)),
    st.builds(Beat, numbers, st.dictionaries(text, numbers, max_size=6)),
    st.builds(RecordNote, text, text, st.dictionaries(text, st.one_of(text, numbers), max_size=3)),
    st.builds(ProbeBegun, st.integers(1, 2**22), st.integers(0, 2**40)),
    st.builds(
        Probe, st.integers(1, 2**22), st.integers(0, 2**40), numbers,
        st.dictionaries(st.sampled_from(STAGES), st.dictionaries(text, numbers, max_size=3)),
        st.integers(0, 10**6), numbers, st.lists(text, max_size=3).map(tuple),
    ),
    st.builds(Done, st.sampled_from(REASONS), text, text),
)  # fmt: skip


@given(messages)
def test_a_message_comes_back(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


@given(st.dictionaries(text, st.floats(), max_size=6))
def test_values_that_are_not_finite_are_left_out(values: dict[str, float]) -> None:
    told = decode(encode(Beat(1.0, values)))
    assert isinstance(told, Beat)
    assert told.values == {name: value for name, value in values.items() if math.isfinite(value)}


@given(messages, st.integers(0, 200))
def test_a_cut_line_is_an_error(message: Message, length: int) -> None:
    line = encode(message).rstrip(b"\n")
    if length < len(line):
        with pytest.raises(WireError):
            decode(line[:length])


@given(st.binary(max_size=60))
def test_noise_is_an_error(noise: bytes) -> None:
    with pytest.raises(WireError):
        decode(noise)


@pytest.mark.parametrize(
    "line",
    [b"[]", b'{"v":2,"type":"hello"}', b'{"v":1,"type":"goodbye"}', b'{"v":1,"type":"hello","pid":1}',
     b'{"v":1,"type":"hello","pid":1,"python":"3","more":1}'],
)  # fmt: skip
def test_other_versions_types_and_fields_are_errors(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["hello", "ready", "beat", "note", "done"]),
    st.dictionaries(
        st.sampled_from(
            ["pid", "python", "environment", "t", "values", "kind", "message", "data", "reason", "traceback"]
        ),
        json_values,
    ),
)
def test_wrong_values_are_errors_and_nothing_else(kind: str, fields: dict[str, object]) -> None:
    line = json.dumps({"v": 1, "type": kind, **fields}).encode()
    try:
        message = decode(line)
    except WireError:
        return
    assert decode(encode(message)) == message, "what is taken can be told on"


@pytest.mark.parametrize(
    "line",
    [b"[" * 200_000, b'{"v":1,"type":"note","kind":"x","message":"m","data":' + b'{"a":' * 900 + b"1" + b"}" * 901,
     b'{"v":1,"type":"beat","t":NaN,"values":{}}', b'{"v":1,"type":"beat","t":1,"values":{"steps":Infinity}}',
     b'{"v":1,"type":"beat","t":1,"values":{"steps":1' + b"0" * 400 + b"}}",
     b'{"v":1,"type":"beat","t":1,"values":{"steps":1' + b"0" * 9000 + b"}}",
     b'{"v":1,"type":"done","reason":"whatever"}', b'{"v":1,"type":["done"],"reason":"finished"}',
     b'{"v":1,"type":"ready","environment":"abc"}'],
)  # fmt: skip
def test_hostile_values_are_errors(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


specs = st.builds(
    TrialSpec,
    workload=text,
    framework=text,
    seed=st.integers(),
    options=st.dictionaries(text, st.one_of(st.booleans(), st.integers(), numbers, text), max_size=3),
    duration=st.none() | numbers,
    steps=st.none() | st.integers(1),
    stream=st.builds(
        StreamSpec,
        source=text,
        options=st.dictionaries(text, st.lists(st.lists(st.integers(), max_size=2) | text, max_size=3), max_size=3),
    ),
)


@given(specs)
def test_an_order_comes_back(spec: TrialSpec) -> None:
    assert from_json(to_json(spec)) == spec


def test_a_beat_takes_numbers_of_numpy() -> None:
    values = {"frames": np.int64(3), "loss": np.float32(0.5), "latency": np.float64("nan")}
    assert decode(encode(Beat(1.0, values))) == Beat(1.0, {"frames": 3.0, "loss": 0.5})
