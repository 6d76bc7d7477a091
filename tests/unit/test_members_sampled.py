"""A trial of several members and devices: who is read, how often, and what tells the series apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from monitors.gpu import Reading, Snapshot
from monitors.latest import Latest
from monitors.model import MetricSpec, Roots, Sample, SamplerScope, Target
from monitors.round import Round, RoundResult
from monitors.samplers.worker_probe import WorkerProbe
from soak.engine.samplers import TrialRounds
from soak.engine.sampling import Feed, MemberFeed
from workloads.protocol import wire

HELD = MetricSpec("held_bytes", "bytes", "Held", "anonymous", judged=True)
RESIDENT = MetricSpec("resident_bytes", "bytes", "Resident")
NOTHING = RoundResult((), (), {})


def reading(scope: SamplerScope) -> type:
    """A sampler that tells its scope, what a process or device holds, and how often it was read."""
    own = MetricSpec(f"{scope}_reads", "count", "Reads")

    class Reading:
        specs: tuple[MetricSpec, ...] = (own, HELD, RESIDENT)
        interval: float = 0.0

        def __init__(self, roots: Roots) -> None:
            self.reads = 0

        def sample(self, target: Target) -> Iterable[Sample]:
            self.reads += 1
            yield Sample(own, self.reads)
            if scope == "member" and "held" in target.beat:
                yield Sample(HELD, target.beat["held"])
                yield Sample(RESIDENT, 7.0)

    Reading.scope = scope  # type: ignore[attr-defined]
    return Reading


def make(scope: SamplerScope) -> Round:
    return Round({f"of_{scope}": reading(scope)(Roots())}, lambda: 0.0)


def look(uuid: str) -> tuple[Snapshot | None, str]:
    return Snapshot(Reading(uuid, 1.0), 1, "process", f"cuda:{uuid[-1]}"), ""


def taken(rounds: TrialRounds, feed: Feed, now: float = 0.0) -> dict[tuple[str, str, str], float]:
    samples = rounds.take(feed.target(now), now, NOTHING).samples
    keys = Counter((s.metric.name, s.member, s.device) for s in samples)
    assert max(keys.values()) == 1, f"never the same series twice: {keys}"
    return {(s.metric.name, s.member, s.device): s.value for s in samples}


def beating(name: str, held: float, *devices: str, judged: bool = True) -> MemberFeed:
    member = MemberFeed(name, 1, devices, judged)
    member.beat({"held": held}, 0.0)
    return member


def test_a_single_member_and_a_single_device_have_no_labels() -> None:
    feed = Feed(0, [beating("rank 0", 5.0, "GPU-0")], None, 0.0, look)
    assert taken(TrialRounds(make), feed) == {
        ("trial_reads", "", ""): 1.0, ("member_reads", "", ""): 1.0, ("beat_reads", "", ""): 1.0,
        ("held_bytes", "", ""): 5.0, ("resident_bytes", "", ""): 7.0, ("device_reads", "", ""): 1.0,
        ("member_device_reads", "", ""): 1.0,
    }  # fmt: skip


def test_of_a_member_that_never_told_anything_no_beats_are_read() -> None:
    silent = MemberFeed("", 1)
    feed, rounds = Feed(0, [silent], None, 0.0), TrialRounds(make)
    assert set(taken(rounds, feed)) == {("trial_reads", "", ""), ("member_reads", "", "")}
    silent.beat({"held": 5.0}, 1.0)
    assert taken(rounds, feed, 2.0)["beat_reads", "", ""] == 1.0
    assert taken(rounds, feed, 3.0)["beat_reads", "", ""] == 2.0, "also where no new one has come: its age is known"


def test_several_members_are_told_apart_and_summed() -> None:
    feed = Feed(0, [beating("rank 0", 5.0), beating("rank 1", 6.0)], None, 0.0)
    found = taken(TrialRounds(make), feed)
    assert found["held_bytes", "rank 0", ""] == 5.0
    assert found["held_bytes", "rank 1", ""] == 6.0
    assert found["held_bytes", "", ""] == 11.0
    assert ("resident_bytes", "", "") not in found, "what has no layer has no sum"
    assert found["trial_reads", "", ""] == 1.0


def test_two_devices_of_one_member_are_two_series() -> None:
    feed = Feed(0, [beating("", 5.0, "GPU-0", "GPU-1")], None, 0.0, look)
    found = taken(TrialRounds(make), feed)
    assert {key for key in found if key[2]} == {
        (name, "", device) for name in ("device_reads", "member_device_reads") for device in ("cuda:0", "cuda:1")
    }


def test_a_device_that_two_members_share_is_read_once_as_a_whole() -> None:
    feed = Feed(0, [beating("a", 5.0, "GPU-0"), beating("b", 6.0, "GPU-0")], None, 0.0, look)
    rounds = TrialRounds(make)
    taken(rounds, feed)
    found = taken(rounds, feed, 1.0)
    assert found["device_reads", "", "cuda:0"] == 2.0
    assert [found["member_device_reads", name, "cuda:0"] for name in "ab"] == [2.0, 2.0]


def test_a_client_is_recorded_not_judged_and_no_part_of_the_sum() -> None:
    feed = Feed(0, [beating("server", 5.0), beating("client", 6.0, judged=False)], None, 0.0)
    samples = TrialRounds(make).take(feed.target(0.0), 0.0, NOTHING).samples
    held = {s.member: (s.value, s.metric.judged) for s in samples if s.metric.name == "held_bytes"}
    assert held == {"server": (5.0, True), "client": (6.0, False), "": (5.0, True)}


def test_the_first_of_several_members_has_its_name_from_the_beginning_on() -> None:
    feed = Feed(0, [beating("server", 5.0)], None, 0.0, expected=2)
    rounds = TrialRounds(make)
    assert taken(rounds, feed)["held_bytes", "server", ""] == 5.0
    feed.joined(beating("client", 1.0))
    assert taken(rounds, feed, 1.0)["held_bytes", "client", ""] == 1.0
    feed.left("client")
    found = taken(rounds, feed, 2.0)
    assert found["held_bytes", "", ""] == 5.0
    assert ("held_bytes", "client", "") not in found


def test_a_member_that_is_silent_leaves_a_gap_in_the_sum_not_a_step() -> None:
    members = [beating("rank 0", 5.0), beating("rank 1", 6.0)]
    feed = Feed(0, members, None, 0.0)
    silent: Callable[[SamplerScope], Round] = make
    rounds = TrialRounds(silent)
    assert taken(rounds, feed)["held_bytes", "", ""] == 11.0
    for now in (1.0, 2.0):
        members[1]._beat = {}
        assert taken(rounds, feed, now)["held_bytes", "", ""] == 11.0, "what it told last counts for a while"
    assert ("held_bytes", "", "") not in taken(rounds, feed, 30.0)
    members[1].beat({"held": 8.0}, 31.0)
    assert taken(rounds, feed, 31.0)["held_bytes", "", ""] == 13.0


def test_what_happens_to_a_members_sampler_names_the_member() -> None:
    class Failing:
        specs = (HELD,)
        interval = 0.0

        def sample(self, target: Target) -> Iterable[Sample]:
            raise OSError("no permission")

    def failing(scope: SamplerScope) -> Round:
        return Round({"failing": Failing()} if scope == "member" else {}, lambda: 0.0)  # type: ignore[dict-item]

    feed = Feed(0, [MemberFeed("rank 0", 1), MemberFeed("rank 1", 2)], None, 0.0)
    result = TrialRounds(failing).take(feed.target(0.0), 0.0, NOTHING)
    assert [(e.message, e.data["member"]) for e in result.events] == [
        (f"rank {i}: failing: OSError: no permission", f"rank {i}") for i in (0, 1)
    ]
    assert result.health["failing"].failures == 2


def test_the_samplers_that_are_found_have_every_scope_they_need() -> None:
    from monitors import catalog

    found = catalog.scopes()
    assert {found[name] for name in ("host_load", "tester_rss_bytes")} == {"node"}
    assert found["kernel_bytes"] == "trial"
    assert {found[name] for name in ("anonymous_bytes", "fds")} == {"member"}
    assert {found[name] for name in ("host_heap_bytes", "steps", "requests")} == {"beat"}
    assert (found["gpu_device_bytes"], found["gpu_process_bytes"]) == ("device", "member_device")


@pytest.mark.parametrize("several", [False, True])
def test_a_cgroup_that_members_share_tells_nothing_of_one_of_them(several: bool) -> None:
    from pathlib import Path

    members = [MemberFeed("a", 1), MemberFeed("b", 2)][: 2 if several else 1]
    target = Feed(0, members, Path("/own"), 0.0).target(0.0)
    assert target.whole.cgroup == Path("/own")
    assert target.members[0].target.cgroup == (None if several else Path("/own"))


def test_the_last_values_of_members_are_kept_apart() -> None:
    latest = Latest()
    one = Sample(HELD, 1.0)
    latest.put(0, [one, one._replace(value=2.0, member="a"), one._replace(value=3.0, member="b")])
    assert latest.value(0, "held_bytes") == 1.0
    assert len(latest.samples(0)) == 3


def test_a_probe_is_a_round_of_its_own_with_the_sum_of_all_that_answered() -> None:
    def probed(scope: SamplerScope) -> Round:
        return Round({"worker_probe": WorkerProbe(Roots())} if scope == "probe" else {}, lambda: 0.0)

    feed = Feed(0, [beating("one", 1), beating("other", 2), beating("client", 4, judged=False)], None, 0.0)
    stages = {"as_is": {"total_bytes": 9.0}, "settled": {"total_bytes": 5.0, "of_its_own": 1.0}}
    answers = {name: wire.Probe(1, 1, 0.1, stages) for name in ("one", "other")}
    found = {
        (s.metric.name, s.member, s.label): s.value
        for s in TrialRounds(probed).probed(feed.target(0.0), 0.0, answers).samples
    }
    assert found == {
        ("probe_seconds", "one", ""): 0.1,
        ("probe_seconds", "other", ""): 0.1,
        ("floor_total_bytes", "one", ""): 5.0,
        ("floor_total_bytes", "other", ""): 5.0,
        ("floor_total_bytes", "", ""): 10.0,
        ("probed_total_bytes", "one", "as_is"): 9.0,
        ("probed_total_bytes", "other", "as_is"): 9.0,
    }
