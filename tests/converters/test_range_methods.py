"""Ranges by percentile and by least squared error, beside the extremes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.recipes import images_of, variants_of

from edgekit.data.samples import Array
from edgekit_converters import ConversionError, Recipe, Variants, check_method
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.calibration import computed_tensors, runs_over
from edgekit_converters.tflite.quantized_operators import MAIN, read_operators


class Counted:
    """Samples that know how often they were read."""

    def __init__(self, samples: list[dict[str, Array]]) -> None:
        self.samples, self.times = samples, 0

    def __iter__(self) -> Iterator[dict[str, Array]]:
        self.times += 1
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)


@pytest.fixture(scope="module")
def samples(digits: Path) -> Counted:
    return Counted(images_of(digits, "calib", 60))


@pytest.fixture(scope="module")
def cnn(digits: Path, samples: Counted, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    return variants_of(digits / "cnn.keras", samples, tmp_path_factory.mktemp("ranges"))


def values_of(variants: Variants, samples: Counted) -> dict[str, Array]:
    """All values of each computed tensor."""
    graph = variants.job.integer_graph
    tensors = computed_tensors(graph)
    read: dict[str, list[Array]] = {name: [] for name in tensors}
    for run in runs_over(graph, samples):
        for name, index in tensors.items():
            read[name].append(run.get_tensor(index).reshape(-1).copy())
    return {name: np.concatenate(parts) for name, parts in read.items()}


def test_a_percentile_leaves_half_of_the_rest_outside_at_each_end(
    cnn: Variants, samples: Counted
) -> None:
    graph = cnn.job.integer_graph
    extremes, ranges = cnn.ranges(graph), cnn.ranges(graph, "percentile:98")
    values = values_of(cnn, samples)
    assert ranges.keys() == extremes.keys() == values.keys()
    signed = [name for name in values if extremes[name][0] < 0]
    assert signed
    assert len(signed) < len(values)
    for name, of in values.items():
        low, high = ranges[name]
        bin_ = float(extremes[name][1] - extremes[name][0]) / 2048 * 1.01

        def between(value: float, percent: float, of: Array = of, bin_: float = bin_) -> bool:
            ends = (np.percentile(of, percent, method=m) for m in ("lower", "higher"))
            least, most = (float(end) for end in ends)
            return least - bin_ <= value <= most + bin_

        assert between(float(high), 99), name
        if name in signed:
            assert between(float(low), 1), name
        else:
            assert low == extremes[name][0], "what is never negative loses nothing below"


def test_no_narrower_range_has_a_smaller_error(cnn: Variants, samples: Counted) -> None:
    """Of the values themselves, clipped and rounded as int8 does."""
    graph = cnn.job.integer_graph
    extremes, ranges = cnn.ranges(graph), cnn.ranges(graph, "mse")
    shares = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

    def error(low: float, high: float, of: Array) -> float:
        scale = (high - low) / 255
        return float(
            np.mean((np.round((of.clip(low, high) - low) / scale) * scale + low - of) ** 2)
        )

    for name, of in values_of(cnn, samples).items():
        low, high = (min(0.0, float(extremes[name][0])), max(0.0, float(extremes[name][1])))
        least = min(error(low * a, high * b, of) for a in shares for b in shares)
        assert error(*map(float, ranges[name]), of) <= 1.1 * least, name
    assert any(ranges[name][1] < 0.97 * extremes[name][1] for name in ranges)


def test_16_bits_need_no_clipping(cnn: Variants) -> None:
    graph = cnn.job.integer_graph
    extremes, ranges = cnn.ranges(graph), cnn.ranges(graph, "mse", bits=16)
    for name, (low, high) in extremes.items():
        assert ranges[name] == pytest.approx((min(low, 0), max(high, 0)), rel=0.02), name


def test_samples_are_read_once_for_the_extremes_and_once_for_all_methods(
    digits: Path, tmp_path: Path
) -> None:
    samples = Counted(images_of(digits, "calib", 5))
    variants = variants_of(digits / "mlp.keras", samples, tmp_path)
    target = {"tflite": tmp_path / "x.tflite"}
    times = []
    for method in ("extremes", "mse", "percentile:99.9", "percentile:99", "mse", "extremes"):
        variants.write(Recipe(ranges=method), target)
        times.append(samples.times)
    assert times == [1, 2, 2, 2, 2, 2]


def test_a_fixed_scale_stays_and_both_files_have_the_narrower_ones(
    cnn: Variants, tmp_path: Path
) -> None:
    scales = {}
    for method in ("extremes", "percentile:99"):
        path = tmp_path / "x.tflite"
        cnn.write(Recipe(ranges=method), {"tflite": path})
        operations = read_operators(cnn.job.integer_graph, path)[MAIN]
        scales[method] = {
            op.outputs[0]: scale.scale for op in operations if (scale := op.output_scales[0])
        }
    before, after = scales["extremes"], scales["percentile:99"]
    assert before["digit"] == after["digit"] == 1 / 256, "a softmax"
    assert sum(after[name] < before[name] for name in before) >= 3


def test_tensors_in_loops_keep_their_extremes(digits: Path, tmp_path: Path) -> None:
    rows = [{"rows": s["image"][..., 0]} for s in images_of(digits, "calib", 10)]
    variants = variants_of(digits / "lstm.keras", rows, tmp_path)
    graph = variants.job.integer_graph
    extremes, narrow = variants.ranges(graph), variants.ranges(graph, "percentile:80")
    main, *loops = flatbuffer.read(graph).subgraphs
    names = [{flatbuffer.name(t) for t in part.tensors} for part in (main, *loops)]
    inside = set.union(*names[1:]) & extremes.keys()
    assert inside
    assert all(narrow[name] == extremes[name] for name in inside)
    assert any(narrow[name] != extremes[name] for name in names[0] & extremes.keys())


@pytest.mark.parametrize(
    "method",
    ["percentile", "percentile:", "percentile:50", "percentile:101", "p99", "percentile:x"],
)
def test_what_is_no_method_is_refused(method: str) -> None:
    with pytest.raises(
        ConversionError, match=r"ranges='.*': choose extremes, mse, or percentile:P"
    ):
        check_method(method)
