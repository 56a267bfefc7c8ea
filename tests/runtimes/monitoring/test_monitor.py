"""A monitor in a script: at a session, in several processes, with samples kept."""

import json
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from support.drift import DATA, reference_of, split

from edgekit.data.open import open_samples
from edgekit_runtimes import Engine, InputError, ModelError, Session, TensorSpec
from edgekit_runtimes.monitoring.build import TensorSamples
from edgekit_runtimes.monitoring.monitor import DataChanged, Monitor, MonitorOptions
from edgekit_runtimes.monitoring.reference import Reference

EVERY = MonitorOptions(time_share=1, warn=False)
X = TensorSpec("x", (1, 8, 8, 1), "float32")
Y = TensorSpec("y", (1, 10), "float32")


@pytest.fixture(scope="module")
def reference() -> Reference:
    calibration, _ = split(DATA["digits"](), 200)
    return reference_of(calibration)


@pytest.fixture(scope="module")
def live() -> np.ndarray:  # type: ignore[type-arg]
    return split(DATA["digits"](), 200)[1]


def session(scale: float | None = None) -> Session:
    specs = [TensorSpec(s.name, s.shape, "int8" if scale else "float32", scale) for s in (X, Y)]
    return Session(
        "m", Engine([specs[0]], [specs[1]], lambda a: [a[0].reshape(1, -1)[:, :10]]), device="fake"
    )


@pytest.mark.parametrize("scale", [None, 1 / 127])
def test_every_way_of_running_is_seen(
    reference: Reference,
    live: np.ndarray,  # type: ignore[type-arg]
    scale: float | None,
) -> None:
    model = session(scale)
    model.watch_with(Monitor(reference, EVERY))
    for image in live[:25]:
        model.run(image[np.newaxis])
    for image in live[25:50]:
        model.run({"x": image[np.newaxis]})
    list(model.map(iter(live[50:75])))
    for image in live[75:100]:
        model.predict(image)

    report = model.monitor.report()

    assert (report.samples, report.status) == (100, "as calibrated")
    mean = next(
        s for s in report.inputs[0].statistics if (s.statistic, s.channel) == ("mean", None)
    )
    assert mean.mean == pytest.approx(live[:100].mean(), rel=1e-3)


def test_integers_of_the_file_are_seen_as_real_numbers(
    reference: Reference,
    live: np.ndarray,  # type: ignore[type-arg]
) -> None:
    specs = [TensorSpec(s.name, s.shape, "int8", 1 / 127) for s in (X, Y)]
    engine = Engine([specs[0]], [specs[1]], lambda a: [a[0].reshape(1, -1)[:, :10]])
    model = Session("m", engine, device="fake", raw=True)
    model.watch_with(Monitor(reference, EVERY))
    for image in live[:100]:
        model.run(np.rint(image[np.newaxis] * 127).astype(np.int8))

    assert model.monitor.report().status == "as calibrated"


def test_the_caller_may_use_his_buffer_again(
    reference: Reference,
    live: np.ndarray,  # type: ignore[type-arg]
) -> None:
    monitor = Monitor(reference, EVERY)
    buffer = np.empty((1, 8, 8, 1), np.float32)
    for image in live[:100]:
        buffer[0] = image
        monitor.observe({"x": buffer}, {})
        buffer[:] = 7

    assert monitor.report().status == "as calibrated"


def test_a_change_is_warned_of_once_and_ends(
    reference: Reference,
    live: np.ndarray,  # type: ignore[type-arg]
) -> None:
    monitor = Monitor(reference, MonitorOptions(time_share=1))
    random = np.random.default_rng(0)

    def show(samples: int, factor: float) -> None:
        for _ in range(samples // 25):
            monitor.observe({"x": live[random.integers(len(live), size=25)] * factor}, {})

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        show(400, 1.0)
        assert not monitor.changed and not caught
        show(200, 2.0)
        assert monitor.changed
    assert [w.category for w in caught] == [DataChanged]
    assert "brighter by" in str(caught[0].message)
    show(400, 1.0)
    assert monitor.report().status == "as calibrated" and monitor.report().alarms_in_all == 1
    (alarm,) = monitor.report().alarms
    assert alarm.sample == 425 and "brighter" in alarm.warnings[0]


def test_monitors_of_several_processes_add_up(
    reference: Reference,
    live: np.ndarray,  # type: ignore[type-arg]
) -> None:
    alone, first, second, both = (Monitor(reference, EVERY) for _ in range(4))
    for start in range(0, 400, 50):
        for monitor, rows in ((first, slice(0, 25)), (second, slice(25, 50))):
            batch = live[start : start + 50][rows]
            monitor.observe({"x": batch}, {})
            alone.observe({"x": batch}, {})
    second.observe({"x": live[:25] * 2}, {})

    both.merge(json.loads(json.dumps(first.snapshot())))
    assert both.report().inputs[0] == first.report().inputs[0]
    both.merge(second)

    report = both.report()
    assert (report.samples, report.recent, report.status) == (425, 425, "changed")
    assert report.warnings == second.report().warnings and report.alarms_in_all == 1
    first.merge(json.loads(json.dumps(Monitor(reference, EVERY).snapshot())))
    assert first.report().samples == 200
    other = Monitor(reference_of(DATA["cancer"]()), EVERY)
    with pytest.raises(ValueError, match="another model's monitor"):
        both.merge(other)


def test_samples_that_a_change_began_with_are_kept_and_can_be_read(
    reference: Reference,
    live: np.ndarray,  # type: ignore[type-arg]
    tmp_path: Path,
) -> None:
    folder = tmp_path / "kept"
    options = MonitorOptions(time_share=1, warn=False, keep=folder, most_kept=30)
    monitor = Monitor(reference, options)
    monitor.observe({"x": live[:25]}, {})
    assert not folder.exists()
    for _ in range(3):  # three changes
        monitor.observe({"x": live[:25] * 2}, {})
        for start in range(0, 400, 25):
            monitor.observe({"x": live[start : start + 25]}, {})

    report = monitor.report()
    assert report.alarms_in_all == 3
    read = [open_samples(Path(f), [X]) for f in report.kept]
    assert [source.count for source in read] == [25, 5]
    first = next(iter(read[0].read(lambda i: True)))[1][0]["x"]
    np.testing.assert_array_equal(first, live[0] * 2)
    assert len(list(folder.iterdir())) == 2


def test_memory_is_fixed(reference: Reference, live: np.ndarray) -> None:  # type: ignore[type-arg]
    monitor = Monitor(reference, EVERY)

    def show() -> int:
        for start in range(0, 1500, 25):
            monitor.observe({"x": live[start : start + 25]}, {})
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        show()
        before, after = show(), show()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000  # of 1,500 samples, which are 384,000 bytes


def test_most_calls_are_not_looked_at(reference: Reference, live: np.ndarray) -> None:  # type: ignore[type-arg]
    """A model without a pause: the monitor takes its share of the time after its first 50 ms."""
    model = session()
    model.watch_with(Monitor(reference, MonitorOptions(warn=False)))
    for _ in range(150_000):
        model.run(live[:1])

    assert 100 < model.monitor.report().samples < 60_000


def test_threads_share_a_monitor(reference: Reference, live: np.ndarray) -> None:  # type: ignore[type-arg]
    monitor = Monitor(reference, EVERY)

    def show(part: int) -> None:
        for image in live[part * 300 : part * 300 + 300]:
            monitor.observe({"x": image[np.newaxis]}, {})

    threads = [threading.Thread(target=show, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    report = monitor.report()
    assert report.status == "as calibrated" and 0 < report.samples <= 1200


def test_what_is_not_of_the_model_is_refused(reference: Reference) -> None:
    monitor = Monitor(reference, EVERY)
    with pytest.raises(InputError, match=r"input 'x': expected \(batch, 8, 8, 1\)"):
        monitor.observe({"x": np.zeros((1, 64))}, {})
    with pytest.raises(InputError, match="also wants the input 'x'"):
        monitor.observe({"y": np.zeros((1, 64))}, {})
    model = session()
    other = Monitor(Reference({"z": reference.inputs["x"]}, {}))
    with pytest.raises(ModelError, match="it is of another model"):
        model.watch_with(other)
    model.watch_with(monitor)
    with pytest.raises(ModelError, match="has a monitor already"):
        model.watch_with(monitor)


@pytest.mark.parametrize("task", ["classes", "index"])
def test_another_mix_of_classes_is_told(task: str) -> None:
    from sklearn.datasets import load_digits

    labels = load_digits().target
    answers = np.eye(10, dtype=np.float32)[labels] if task == "classes" else labels[:, np.newaxis]
    made = TensorSamples(answers.shape[1:], low=0, high=1, task=task)
    made.add(answers[:500])
    monitor = Monitor(Reference({}, {"y": made.reference()}, tuple("0123456789")), EVERY)
    monitor.observe({}, {"y": answers[500:900]})
    for start in range(500, 900, 25):
        monitor.observe({}, {"y": answers[start : start + 25]})
    assert not monitor.changed
    even = answers[labels % 2 == 0]
    for start in range(0, 200, 25):
        monitor.observe({}, {"y": even[start : start + 25]})

    (words,) = monitor.report().warnings
    assert words.startswith("outputs no longer look like those of the evaluation: another mix of")
    assert monitor.report().outputs[0].classes_changed


def test_a_wide_tensor_is_thinned_and_its_rows_are_not_mixed() -> None:
    random = np.random.default_rng(0)
    images = random.random((60, 300, 200, 3), np.float32) * random.random((60, 1, 1, 1), np.float32)
    monitor = Monitor(reference_of(images[:30]), EVERY)
    for image in images[30:]:
        monitor.observe({"x": image[np.newaxis]}, {})

    mean = next(s for s in monitor.report().inputs[0].statistics if s.statistic == "mean")
    assert mean.mean == pytest.approx(images[30:55].mean(), rel=0.02)
