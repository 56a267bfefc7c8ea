"""Faults of a target, made for real: each is found in its layer, and named; and where there is none, none is."""

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from support import faults
from support.faults import Fault, faulty
from support.json_schema import FOLDER
from support.once import once

import edgekit
from edgekit.cli.main import main
from edgekit_runtimes import DEVICES

TFLITE, TFLITE8 = "model_float32.tflite", "model_int8.tflite"
ONNX, ONNX8 = "model_float32.onnx", "model_int8.onnx"
NONE, RELU, RELU6 = 0, 1, 3
AVERAGE_POOL, LSH_PROJECTION = 1, 15

STEM, EXPAND, EXPAND2 = "stem/Squeeze1", "first_norm/batchnorm/sub1", "second_norm/batchnorm/sub1"
DEPTHWISE, DEPTHWISE2 = "first_depthwise/Squeeze1", "second_depthwise/Squeeze1"
PROJECT, PROJECT2 = "first_project/Squeeze1", "second_project/Squeeze1"
ADD, POOL, MEAN, DENSE = "joined/Add", "pool/MaxPool2d", "mean/Mean", "digit/BiasAdd_1"

FAULTS = (
    Fault("no ReLU", TFLITE, STEM, faults.option("fusedActivationFunction", NONE), "missing"),
    Fault("a ReLU", TFLITE, PROJECT, faults.option("fusedActivationFunction", RELU), "became 0"),
    Fault("zero point", TFLITE8, PROJECT, faults.out_quantization(shift=20), "+20 steps"),
    Fault("scale", TFLITE8, PROJECT2, faults.out_quantization(factor=1.6), "0.625 times"),
    Fault("one scale for all channels", TFLITE8, DEPTHWISE, faults.one_scale, "factor of its own"),
    Fault("pads before only", TFLITE, DEPTHWISE, faults.padded(2, 0), "shifted by"),
    Fault("pads with integer 0", TFLITE8, DEPTHWISE2, faults.padded(1, 1, 0), "at the edges"),
    Fault(
        "two channels swapped", TFLITE, EXPAND,
        faults.weights(lambda w: w[[5, 1, 2, 3, 4, 0, *range(6, len(w))]], (1, 2)),
        "another order: 0 has 5's, 5 has 0's",
    ),
    Fault(
        "kernel transposed", TFLITE, DEPTHWISE2,
        faults.weights(lambda w: w.transpose(0, 2, 1, 3)), "transposed: height and width",
    ),
    Fault(
        "dense weights in another layout", TFLITE8, DENSE,
        faults.weights(lambda w: w.T.reshape(w.shape)), "without a simple pattern",
    ),
    Fault("an average for a maximum", TFLITE8, POOL, faults.other_operator(AVERAGE_POOL), ""),
    Fault("pads behind only", ONNX8, STEM, faults.attribute("pads", [0, 0, 2, 2]), "shifted by"),
    Fault("pads by edge values", ONNX, DEPTHWISE, faults.edge_padding, "at the edges"),
    Fault("sums that saturate", ONNX, PROJECT2, faults.saturating_sums(0.9), "saturate"),
    Fault(
        "zero point of weights", ONNX8, EXPAND2,
        faults.dequantized(1, 2, lambda z: z - np.uint8(30)), "",
    ),
    Fault(
        "one scale for all channels", ONNX8, DEPTHWISE,
        faults.dequantized(1, 1, lambda s: np.full_like(s, s.mean())), "factor of its own",
    ),
    Fault(
        "cut off at 0.5", ONNX, "Relu6__6:0",
        faults.changed_input(2, lambda c: np.full_like(c, 0.5)), "above 0.5 became 0.5",
    ),
    Fault(
        "no bias", ONNX, PROJECT2, faults.changed_input(2, np.zeros_like), "constant of its own",
    ),
    Fault(
        "scale of one input of a sum", ONNX8, ADD,
        faults.dequantized(1, 1, lambda s: s * np.float32(2)), "",
    ),
    Fault(
        "input channels reversed", ONNX, EXPAND2,
        faults.changed_input(1, lambda w: w[:, ::-1]), "reverse order",
    ),
    Fault(
        "zero point", ONNX8, DENSE,
        faults.quantized_with(2, lambda z: z + np.uint8(15)), "+15 steps",
    ),
    Fault("a maximum for an average", ONNX8, MEAN, faults.other_kind("GlobalMaxPool"), ""),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(mobile: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small MobileNet of digits in both formats, in float32 and int8, with golden samples; read only."""
    return once(
        tmp_path_factory,
        "mobile-out",
        lambda folder: edgekit.convert(mobile, digits / "calib.npz", folder),
    )


def test_there_are_twenty_faults_of_both_formats() -> None:
    assert len(FAULTS) >= 20
    for suffix in (".tflite", ".onnx"):
        assert sum(fault.file.endswith(suffix) for fault in FAULTS) >= 10


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.what}, {fault.file}")
def test_a_fault_is_found_in_its_layer_and_named(fault: Fault, folder: Path) -> None:
    found = edgekit.bisect(folder / fault.file, faulty(fault), reference="cpu")

    assert not found
    (file,) = found.files
    first = file.first
    assert first is not None and first.difference is not None
    named = EXPAND if fault.layer.startswith("Relu6") else fault.layer
    assert first.name == named, first.difference.how
    assert [layer.name for layer in file.layers if layer.status != "same"] == [named]
    assert fault.words in first.difference.how


@pytest.mark.parametrize(
    "file",
    [
        TFLITE8,
        ONNX8,
        pytest.param(TFLITE, marks=pytest.mark.slow),
        pytest.param(ONNX, marks=pytest.mark.slow),
    ],
)
def test_other_kernels_are_no_fault(file: str, folder: Path) -> None:
    """LiteRT's own, ONNX Runtime's of the file as it is written, and OpenVINO round otherwise."""
    for device in DEVICES:
        others = device.name in ("reference", "openvino") and not device.missing()
        if Path(file).suffix not in device.suffixes or not others:
            continue
        found = edgekit.bisect(folder / file, device.name)
        assert found.same, (device.name, found)
        assert all(layer.status == "same" for layer in found.files[0].layers), device.name


def test_layers_that_are_wrong_only_together(folder: Path) -> None:
    """A runtime that fuses an operator into the one before it, and does so wrongly."""
    alter = faults.option("fusedActivationFunction", RELU6)
    (file,) = edgekit.bisect(
        folder / TFLITE, faulty(Fault("fusion", TFLITE, PROJECT, alter, "", least=2))
    ).files

    assert file.outputs
    assert file.first is None, "each is right alone"
    assert file.group is not None
    assert PROJECT in (file.group.first, file.group.last)
    assert len(file.group.operators) == 2


def test_the_command(folder: Path, digits: Path, tmp_path: Path) -> None:
    """On the golden samples by default."""
    command = ["bisect", str(folder), "--target", "reference"]
    shown = CliRunner().invoke(main, command)
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("the same: all") == 4

    one = ["bisect", str(folder / TFLITE8), *command[2:], "--json"]
    document = json.loads(CliRunner().invoke(main, one).stdout)
    schema = json.loads((FOLDER / "bisection.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["same"] is True
    assert [file["samples"] for file in document["files"]] == [8]

    shutil.copy(folder / TFLITE, tmp_path)  # without golden samples
    alone = [command[0], str(tmp_path / TFLITE), *command[2:]]
    refused = CliRunner().invoke(main, alone)
    assert refused.exit_code == 2
    assert "--data" in refused.output
    data = ["--data", str(digits / "eval.npz"), "--samples", "2"]
    assert CliRunner().invoke(main, [*alone, *data]).exit_code == 0
    misplaced = CliRunner().invoke(main, [*alone, *data, "--device", "gpu"])
    assert misplaced.exit_code == 2
    nowhere = CliRunner().invoke(main, [*alone[:-1], "no-such-device", *data])
    assert nowhere.exit_code == 4
    assert "no device 'no-such-device' opens .tflite files" in nowhere.output


def test_a_target_that_cannot_run_a_layer(folder: Path) -> None:
    """The first that it lacks is named, with what its runtime says."""
    lacking = Fault("it is another", TFLITE, POOL, faults.other_operator(LSH_PROJECTION), "")
    found = edgekit.bisect(folder / TFLITE, faulty(lacking))
    (file,) = found.files

    assert not found.same
    assert "LiteRT cannot open it" in file.refusal
    assert file.first is not None
    assert (file.first.name, file.first.status) == (POOL, "fails")
    assert "LiteRT cannot open it" in file.first.note


def test_a_loop_in_integers_is_no_fault_where_its_rounding_adds_up(
    digits: Path, tmp_path: Path
) -> None:
    """LiteRT's own kernels round the steps of an LSTM otherwise than XNNPACK."""
    edgekit.convert(
        digits / "lstm.keras", digits / "rows.npz", tmp_path, to="tflite", precision="int8"
    )
    (file,) = edgekit.bisect(tmp_path, "reference").files
    assert "WHILE" in [layer.operator for layer in file.layers]
    assert file.first is None
