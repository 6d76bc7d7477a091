from threading import Thread

from monitors.latest import Latest
from monitors.model import MetricSpec, Sample

RSS = MetricSpec("rss_bytes", "bytes", "Resident")
GPU = MetricSpec("gpu_bytes", "bytes", "Of a device")


def test_the_last_value_of_every_series_stays() -> None:
    latest = Latest()
    latest.put(1, [Sample(RSS, 10.0), Sample(GPU, 1.0, "0"), Sample(GPU, 2.0, "1")])
    latest.put(1, [Sample(RSS, 20.0)])
    assert latest.value(1, "rss_bytes") == 20.0
    assert latest.value(1, "gpu_bytes", "0") == 1.0
    assert latest.value(1, "gpu_bytes", "1") == 2.0


def test_what_is_not_known_is_none() -> None:
    latest = Latest()
    latest.put(1, [Sample(GPU, 1.0, "0")])
    assert latest.value(1, "rss_bytes") is None
    assert latest.value(2, "gpu_bytes", "0") is None
    assert latest.value(1, "gpu_bytes") is None


def test_trials_are_apart_and_a_forgotten_one_disappears() -> None:
    latest = Latest()
    latest.put(1, [Sample(RSS, 10.0)])
    latest.put(2, [Sample(RSS, 20.0)])
    latest.forget(1)
    latest.forget(7)
    assert latest.samples(1) == ()
    assert latest.samples(2) == (Sample(RSS, 20.0),)


def test_what_was_read_is_of_one_moment() -> None:
    latest = Latest()
    latest.put(1, [Sample(RSS, 10.0)])
    before = latest.samples(1)
    assert latest.samples(1) is before, "nothing new was sampled"
    latest.put(1, [Sample(RSS, 20.0), Sample(GPU, 1.0, "0")])
    assert before == (Sample(RSS, 10.0),)


def test_readers_see_whole_rounds_while_another_thread_writes() -> None:
    latest = Latest()
    pair = (RSS, GPU)
    latest.put(1, [Sample(spec, 0.0) for spec in pair])

    def write() -> None:
        for n in range(2000):
            latest.put(1, [Sample(spec, float(n)) for spec in pair])

    writer = Thread(target=write)
    writer.start()
    torn = 0
    while writer.is_alive():
        torn += len({sample.value for sample in latest.samples(1)}) != 1
    writer.join()
    assert torn == 0
