"""Channels equalized: exact in float, finer in integers, and never in a float file."""

from pathlib import Path

import numpy as np
import pytest
from support.recipes import images_of, outputs_of, sqnr, variants_of

from edgekit_converters import Recipe, Variants
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.equalization import equalized_constants


@pytest.fixture(scope="module")
def variants(mobile: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    return variants_of(mobile, images_of(digits, "calib", 60), tmp_path_factory.mktemp("equal"))


def test_both_files_gain_and_the_float_graph_is_the_same(
    variants: Variants, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 60)
    tflite, onnx = tmp_path / "x.tflite", tmp_path / "x.onnx"
    variants.write(Recipe("float32"), {"tflite": tflite})
    exact = outputs_of(tflite, samples)
    distance = {}
    for equalize in (False, True):
        made = variants.write(Recipe(equalize=equalize), {"tflite": tflite, "onnx": onnx})
        distance[equalize] = [sqnr(exact, outputs_of(path, samples)) for path in (tflite, onnx)]
        assert abs(distance[equalize][0] - distance[equalize][1]) < 0.6
        assert made.notes == ()
    assert distance[True][0] > distance[False][0] + 2
    assert variants.equalized is not None
    assert sqnr(exact, outputs_of(variants.equalized, samples)) > 60


def test_float_files_come_from_the_original(variants: Variants, tmp_path: Path) -> None:
    target = {"tflite": tmp_path / "x.tflite", "onnx": tmp_path / "x.onnx"}
    for precision in ("float32", "float16", "dynamic"):
        contents = []
        for equalize in (False, True):
            variants.write(Recipe(precision, equalize=equalize), target)
            contents.append([path.read_bytes() for path in target.values()])
        assert contents[0] == contents[1]


def test_what_is_equalized_has_ranges_of_its_own(variants: Variants) -> None:
    assert variants.equalized is not None
    before = variants.ranges(variants.job.integer_graph)
    after = variants.ranges(variants.equalized)
    changed = {name for name in before if not np.allclose(before[name], after[name], rtol=1e-3)}
    assert {name for name in changed if "norm" in name} == changed, changed


def test_a_dead_channel_and_a_full_one_are_left_alone(
    variants: Variants, digits: Path, tmp_path: Path
) -> None:
    """One is all zeros, which would be multiplied by noise; one reaches the 6 of ReLU6."""
    from edgekit_converters.tflite.constants import with_constants

    graph = variants.job.integer_graph
    model = flatbuffer.read(graph)
    main = model.subgraphs[0]
    first = next(
        op for op in main.operators if getattr(op.builtinOptions, "fusedActivationFunction", 0) == 3
    )
    weight, bias = (
        (flatbuffer.name(main.tensors[i]), flatbuffer.constant(model, main.tensors[i]))
        for i in first.inputs[1:3]
    )
    assert weight[1] is not None
    assert bias[1] is not None
    weights, biases = weight[1].copy(), bias[1].copy()
    weights[3], biases[3] = 0, 0
    weights[5], biases[5] = 0, 7
    with_constants(graph, tmp_path / "x.tflite", {weight[0]: weights, bias[0]: biases})

    changed = equalized_constants(tmp_path / "x.tflite", images_of(digits, "calib", 20))

    factors = changed[bias[0]] / np.where(biases == 0, 1, biases)
    assert np.array_equal(changed[weight[0]][3], weights[3])
    assert factors[5] == 1
    assert np.sum(factors > 1.5) > 5


def test_a_model_without_such_pairs_is_told(digits: Path, tmp_path: Path) -> None:
    variants = variants_of(digits / "cnn.keras", images_of(digits, "calib", 5), tmp_path)
    files = []
    for equalize in (False, True):
        files.append(tmp_path / f"{equalize}.tflite")
        made = variants.write(Recipe(equalize=equalize), {"tflite": files[-1]})
    assert made.notes == (
        "the channels are not equalized: no depthwise convolution gains by it, or the model would "
        "compute other numbers",
    )
    assert files[0].read_bytes() == files[1].read_bytes()
