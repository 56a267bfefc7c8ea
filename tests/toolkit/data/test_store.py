"""Samples set aside: none for two purposes, always the same, and never all in memory."""

import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.data.open import open_samples
from edgekit.data.samples import DataError, Sample, SampleSource, Selector
from edgekit.data.split import SampleSplit, set_aside
from edgekit.data.store import StoredArrays
from edgekit_runtimes import TensorSpec

Array = npt.NDArray[Any]

X = TensorSpec("x", (None, 2), "float32")


def numbered(count: int) -> Array:
    """Samples that hold their own number, and its half."""
    numbers = np.arange(count, dtype=np.float32)
    return np.stack([numbers, numbers / 2 + 0.25], axis=1)


def in_memory(count: int) -> SampleSource:
    return open_samples((numbered(count), np.arange(count)), [X])


def stream(count: int) -> SampleSource:
    return open_samples(lambda: iter(zip(numbered(count), np.arange(count), strict=True)), [X])


def numbers(stored: StoredArrays | None) -> list[int]:
    """Which samples were set aside."""
    return [] if stored is None else [int(sample["x"][0]) for sample in stored]


def indices(samples: SampleSplit) -> tuple[list[int], list[int]]:
    return numbers(samples.calibration), numbers(samples.held_out)


@pytest.mark.parametrize("make", [in_memory, stream])
@pytest.mark.parametrize(
    ("count", "most_calibration", "most_held_out"),
    [(4, 200, 1000), (100, 200, 1000), (299, 200, 1000), (1500, 200, 1000), (1500, 50, 20)],
)
def test_no_sample_is_for_both_purposes(
    make: Any, count: int, most_calibration: int, most_held_out: int, tmp_path: Path
) -> None:
    samples = set_aside(
        make(count), tmp_path / "s", calibration=most_calibration, held_out=most_held_out
    )
    calibration, held_out = indices(samples)

    assert len({*calibration, *held_out}) == len(calibration) + len(held_out)
    assert 0 < len(calibration) <= most_calibration
    assert min(most_held_out, count // 3) <= len(held_out) <= most_held_out
    assert samples.labels is not None
    assert samples.labels.tolist() == held_out  # each label is still beside its sample


@pytest.mark.parametrize(
    ("count", "expected"), [(9, (6, 3)), (300, (200, 100)), (900, (200, 700)), (5000, (200, 1000))]
)
def test_a_third_at_least_is_held_out_and_what_calibration_does_not_need(
    count: int, expected: tuple[int, int], tmp_path: Path
) -> None:
    calibration, held_out = indices(set_aside(in_memory(count), tmp_path / "s"))

    assert (len(calibration), len(held_out)) == expected


def test_always_the_same_samples_are_drawn(tmp_path: Path) -> None:
    first = set_aside(in_memory(1500), tmp_path / "1", calibration=50, held_out=60)
    second = set_aside(in_memory(1500), tmp_path / "2", calibration=50, held_out=60)

    assert indices(first) == indices(second)


@pytest.mark.parametrize("calibration", [100, 0])
def test_of_sorted_data_every_class_has_its_part(calibration: int, tmp_path: Path) -> None:
    """As in a folder of images, which is read class by class."""
    samples = set_aside(in_memory(1000), tmp_path / "s", calibration=calibration, held_out=100)
    classes = [{number // 100 for number in part} for part in indices(samples) if part]

    assert classes == [set(range(10))] * (2 if calibration else 1)


@pytest.mark.parametrize("calibration", [200, 0])
def test_samples_are_drawn_from_600_million_without_an_order_of_them_all(
    calibration: int, tmp_path: Path
) -> None:
    """A permutation would take 4.8 GB."""

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for i in filter(selected, range(100)):  # so few that none of them is drawn
            yield i, ({"x": np.array([i, 0.5], np.float32)}, None)

    tracemalloc.start()
    with pytest.raises(DataError, match="0 usable samples"):
        set_aside(SampleSource(read, count=600_000_000), tmp_path / "s", calibration=calibration)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10_000_000


def test_of_a_million_and_more_every_part_gives_its_share(tmp_path: Path) -> None:
    count = 1_000_001

    def read(selected: Selector) -> Iterator[tuple[int, Sample]]:
        for i in filter(selected, range(count)):
            yield i, ({"x": np.array([i, 0.5], np.float32)}, None)

    split = set_aside(SampleSource(read, count=count), tmp_path / "s")
    calibration, held_out = indices(split)

    assert (len(calibration), len(held_out)) == (200, 1000)
    assert len({*calibration, *held_out}) == 1200
    assert {number // 100_000 for number in held_out} >= set(range(10))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([np.zeros(2), np.zeros(3), np.zeros(2), np.zeros(2)], "different shapes, (2,) and (3,)"),
        ([np.zeros(()), np.zeros(1)] * 2, "different shapes, () and (1,)"),
        ([{"a": 1}, {"a": 1}, {"b": 1}, {"a": 1}], "labels for a, and others for b"),
        (
            [{"a": 1}, {"a": 1}, np.array(1), {"a": 1}],
            "labels for a, and others for the only output",
        ),
        ([{"a": np.zeros(2)}, {"a": np.zeros(3)}] * 2, "a: labels of different shapes"),
    ],
)
def test_labels_that_do_not_go_together_are_refused(
    labels: list[Any], words: str, tmp_path: Path
) -> None:
    source = open_samples(lambda: zip(numbered(4), labels, strict=True), [X])

    with pytest.raises(DataError, match=re.escape(words)):
        set_aside(source, tmp_path / "s", calibration=0)


def test_labels_that_fill_the_memory_are_refused(tmp_path: Path) -> None:
    mask = np.broadcast_to(np.float64(1), (16_384, 16_384))  # 2 GB, of which 8 bytes are held
    source = open_samples(lambda: ((sample, mask) for sample in numbered(4)), [X])

    with pytest.raises(DataError, match="take more than 1,073,741,824 bytes"):
        set_aside(source, tmp_path / "s", calibration=0)


def test_a_stream_is_split_in_order(tmp_path: Path) -> None:
    calibration, held_out = indices(set_aside(stream(9), tmp_path / "s"))

    assert calibration == [0, 1, 3, 4, 6, 7]
    assert held_out == [2, 5, 8]


def test_a_stream_is_read_until_both_parts_are_full(tmp_path: Path) -> None:
    read = []

    def samples() -> Iterator[Array]:
        for number in range(10_000):
            read.append(number)
            yield np.array([number, 0.5], np.float32)

    source = open_samples(samples, [X])
    calibration, held_out = indices(set_aside(source, tmp_path / "s", calibration=3, held_out=4))

    assert calibration == [0, 1, 3]
    assert held_out == [2, 5, 8, 11]
    assert len(read) <= 13  # the sample after the last shows that both are full


def test_a_source_that_can_be_read_once_is_read_once(tmp_path: Path) -> None:
    source = open_samples(iter(numbered(9)), [X])

    samples = set_aside(source, tmp_path / "s")

    assert len(samples.held_out) == 3
    assert numbers(samples.held_out) == numbers(samples.held_out) == [2, 5, 8]


@pytest.mark.parametrize(
    ("make", "count", "expected"),
    [
        (in_memory, 9, (2, 3, 4)),
        (in_memory, 300, (75, 75, 150)),
        (in_memory, 1000, (200, 200, 600)),
        (in_memory, 1800, (200, 200, 1000)),
        (stream, 9, (3, 2, 4)),
        (stream, 1800, (200, 200, 900)),
    ],
)
def test_samples_to_choose_on_are_used_for_nothing_else(
    make: Any, count: int, expected: tuple[int, int, int], tmp_path: Path
) -> None:
    """Half at least are held out: a file that was chosen is judged on samples that no one chose by."""
    samples = set_aside(make(count), tmp_path / "s", choosing=200)
    assert samples.choosing is not None and samples.choosing.labels is not None
    calibration, held_out = indices(samples)
    chosen_on = numbers(samples.choosing.held_out)

    assert (len(calibration), len(chosen_on), len(held_out)) == expected
    assert len({*calibration, *chosen_on, *held_out}) == sum(expected)
    assert samples.choosing.labels.tolist() == list(samples.choosing.numbers) == chosen_on


@pytest.mark.parametrize(("count", "calibration"), [(700, 175), (1400, 200), (1500, 200)])
def test_the_same_samples_calibrate_whether_some_are_to_choose_on_or_not(
    count: int, calibration: int, tmp_path: Path
) -> None:
    plain = set_aside(in_memory(count), tmp_path / "plain", calibration=calibration)
    searched = set_aside(in_memory(count), tmp_path / "searched", choosing=200)

    assert indices(plain)[0] == indices(searched)[0]


@pytest.mark.parametrize("make", [in_memory, stream])
def test_without_calibration_all_samples_are_held_out(make: Any, tmp_path: Path) -> None:
    samples = set_aside(make(7), tmp_path / "s", calibration=0)

    assert samples.calibration is None
    assert numbers(samples.held_out) == list(range(7))
    assert samples.warnings == ()


@pytest.mark.parametrize("flaw", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_left_out_and_counted(flaw: float, tmp_path: Path) -> None:
    array = numbered(300)
    array[[7, 70, 170], 1] = flaw

    samples = set_aside(open_samples((array, np.arange(300)), [X]), tmp_path / "s")
    calibration, held_out = indices(samples)

    assert sorted(calibration + held_out) == sorted(set(range(300)) - {7, 70, 170})
    assert samples.labels is not None
    assert samples.labels.tolist() == held_out
    assert samples.warnings == ("3 of 300 samples hold NaN or infinite values, and were left out",)


def test_constant_samples_are_kept_and_counted(tmp_path: Path) -> None:
    array = numbered(300)
    array[:20] = 0.5

    samples = set_aside(open_samples(array, [X]), tmp_path / "s")

    assert sum(map(len, indices(samples))) == 300
    assert samples.warnings == ("20 of 300 samples are constant: every value in them is the same",)


def test_a_single_value_is_not_called_constant(tmp_path: Path) -> None:
    source = open_samples(np.ones((300, 1)), [TensorSpec("x", (None, 1), "float32")])

    assert set_aside(source, tmp_path / "s").warnings == ()


@pytest.mark.parametrize("make", [in_memory, stream])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_samples_are_refused(make: Any, count: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f": {count} usable samples; at least 4 are needed"):
        set_aside(make(count), tmp_path / "s")


def test_too_few_usable_samples_are_refused_with_how_many_were_not(tmp_path: Path) -> None:
    array = numbered(20)
    array[2:] = np.nan

    with pytest.raises(
        DataError, match=r"2 usable samples \(18 more hold NaN or infinite values\)"
    ):
        set_aside(open_samples(array, [X]), tmp_path / "s")


def test_one_sample_is_enough_to_evaluate_on_but_none_is_not(tmp_path: Path) -> None:
    assert len(set_aside(in_memory(1), tmp_path / "1", calibration=0).held_out) == 1

    with pytest.raises(DataError, match="0 usable samples"):
        set_aside(in_memory(0), tmp_path / "0", calibration=0)


@pytest.mark.parametrize(
    ("count", "warnings"),  # a third of them is held out
    [(73, ("only 49 samples to calibrate on; 100 to 200 are advised",)), (74, ())],
)
def test_few_samples_to_calibrate_on_are_warned_of(
    count: int, warnings: tuple[str, ...], tmp_path: Path
) -> None:
    assert set_aside(in_memory(count), tmp_path / "s").warnings == warnings


def test_samples_of_different_shapes_are_refused_with_both(tmp_path: Path) -> None:
    spec = TensorSpec("ids", (None, None), "float32")
    source = open_samples(lambda: ([np.ones((1, n))] for n in (3, 3, 3, 7)), [spec])

    with pytest.raises(DataError, match=r"'ids'.*\(3,\) and \(7,\)"):
        set_aside(source, tmp_path / "s")


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_batches_hold_all_samples_in_order(size: int, tmp_path: Path) -> None:
    specs = [
        TensorSpec("photo", (None, 4, 3), "float32"),
        TensorSpec("ids", (None, 2), "int32"),
        TensorSpec("flag", (None, 1), "uint8"),
    ]
    arrays: dict[str, Array] = {
        "photo": np.random.default_rng(0).random((10, 4, 3), np.float32),
        "ids": np.arange(20, dtype=np.int32).reshape(10, 2),
        "flag": np.arange(10, dtype=np.uint8).reshape(10, 1),
    }
    stored = set_aside(open_samples(arrays, specs), tmp_path / "s", calibration=0).held_out

    for _ in range(2):
        batches = list(stored.batches(size))
        assert [len(batch["flag"]) for batch in batches[:-1]] == [size] * (len(batches) - 1)
        for name, array in arrays.items():
            whole = np.concatenate([batch[name] for batch in batches])
            assert whole.dtype == array.dtype
            assert np.array_equal(whole, array)
    assert len(stored) == len(list(stored)) == 10
    assert stored.shapes == {"photo": (4, 3), "ids": (2,), "flag": (1,)}


MEASURE = """
import sys
from pathlib import Path
from edgekit.data.open import open_samples
from edgekit.data.split import set_aside
from edgekit_runtimes import TensorSpec

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

before = peak()
folder = Path(sys.argv[1])
source = open_samples(folder / "large.npz", [TensorSpec("x", (None, 250, 250), "float32")])
samples = set_aside(source, folder / "s", calibration=20, held_out=40)
for batch in samples.held_out.batches(8):
    pass
print(peak() - before, source.count, len(samples.calibration), len(samples.held_out))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_stays_flat_however_large_the_file(tmp_path: Path) -> None:
    """The kernel's VmHWM, not getrusage: that figure starts at the size of the process that forked."""
    rows, row = 800, np.zeros((250, 250), np.float32)  # 200 MB in all, of which a disk holds one
    row[0, 0] = 1
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, 250, 250)}
    with (
        zipfile.ZipFile(tmp_path / "large.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as npz,
        npz.open("x.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(rows):
            member.write(row.tobytes())

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    risen, *counts = done.stdout.split()

    assert counts == ["800", "20", "40"]
    assert float(risen) < 30
