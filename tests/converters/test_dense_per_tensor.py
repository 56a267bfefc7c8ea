"""Dense weights with one scale: in both formats, alone and below other levers, and smaller on an Ethos-U."""

import re
from pathlib import Path
from typing import Any

import pytest
from support.recipes import images_of, outputs_of, sqnr, variants_of

from edgekit.bundle.recipes import recipe_from_json, recipe_to_json
from edgekit_converters import Recipe, Variants, recipe_of
from edgekit_converters.targets.vela import compile_for_ethos_u
from edgekit_converters.tflite import flatbuffer


@pytest.fixture(scope="module")
def variants(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    folder = tmp_path_factory.mktemp("dense")
    return variants_of(digits / "cnn.keras", images_of(digits, "calib", 60), folder)


def scales(path: Path, kind: int) -> list[int]:
    """How many scales the weights of each operator of a kind have."""
    model = flatbuffer.read(path)
    main: Any = model.subgraphs[0]
    return [
        len(main.tensors[operator.inputs[1]].quantization.scale)
        for operator in main.operators
        if flatbuffer.opcode(model, operator) == kind
    ]


def test_dense_has_one_scale_and_convolutions_keep_theirs(
    variants: Variants, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 60)
    exact = tmp_path / "exact.tflite"
    variants.write(Recipe("float32"), {"tflite": exact})
    outputs = outputs_of(exact, samples)
    distance = {}
    for one in (False, True):
        files = {form: tmp_path / f"{one}.{form}" for form in ("tflite", "onnx")}
        variants.write(Recipe(dense_per_tensor=one), files)
        distance[one] = [sqnr(outputs, outputs_of(path, samples)) for path in files.values()]
        assert abs(distance[one][0] - distance[one][1]) < 0.6
    assert min(distance[True]) > 20
    assert set(scales(tmp_path / "True.tflite", flatbuffer.FULLY_CONNECTED)) == {1}
    assert 1 not in scales(tmp_path / "False.tflite", flatbuffer.FULLY_CONNECTED)
    assert 1 not in scales(tmp_path / "True.tflite", flatbuffer.CONV_2D)


def test_other_levers_keep_the_one_scale(variants: Variants, tmp_path: Path) -> None:
    target = tmp_path / "x.tflite"
    recipe = Recipe(dense_per_tensor=True, correct_bias=True, rounding_steps=3, ranges="mse")
    made = variants.write(recipe, {"tflite": target})
    assert made.notes == ()
    assert set(scales(target, flatbuffer.FULLY_CONNECTED)) == {1}
    plain = recipe_to_json({"tflite": recipe}, variants.operators)
    assert recipe_of(recipe_from_json(plain)["tflite"], variants.operators) == recipe
    del plain["recipes"]["tflite"]["dense_per_tensor"]  # as an older edgekit wrote it
    older = recipe_of(recipe_from_json(plain)["tflite"], variants.operators)
    assert not older.dense_per_tensor


def test_vela_is_asked_what_it_would_save_and_it_does(digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("ethosu", reason="Vela is not installed")
    samples = images_of(digits, "calib", 60)
    mlp = variants_of(digits / "mlp.keras", samples, tmp_path, interface="int8")
    figures, advice = {}, {}
    for one in (False, True):
        file, scratch = tmp_path / f"{one}.tflite", tmp_path / f"{one}"
        scratch.mkdir()
        mlp.write(Recipe(dense_per_tensor=one), {"tflite": file})
        target = scratch / "x.tflite"
        made = compile_for_ethos_u(file, target, "ethos-u55-128", scratch=scratch)
        figures[one] = {figure.name: figure.value for figure in made.figures}
        advice[one] = " ".join(made.advice)
    assert figures[True]["cycles"] < 0.95 * figures[False]["cycles"]
    assert figures[True]["flash"] < 0.95 * figures[False]["flash"]
    promised = re.search(r"about ([\d,]+) cycles", advice[False])
    assert promised is not None
    assert abs(int(promised[1].replace(",", "")) / figures[True]["cycles"] - 1) < 0.03
    assert advice[True] == ""
