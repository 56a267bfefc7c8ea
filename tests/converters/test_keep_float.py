"""Operators that a recipe keeps in float32: they are, in both files, which compute the same."""

from pathlib import Path

import pytest
from support.recipes import (
    WEIGHTED,
    float_operators_of,
    float_weights_of,
    images_of,
    outputs_of,
    sqnr,
    variants_of,
)

from edgekit_converters import ConversionError, Recipe, Variants, convert, load_model


@pytest.fixture(scope="module")
def variants(mobile: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    return variants_of(mobile, images_of(digits, "calib", 40), tmp_path_factory.mktemp("variants"))


def kept_sets(operators: list[str]) -> list[list[str]]:
    """Each operator alone, beginnings, ends, every second and third one, and all."""
    return [
        *([name] for name in operators),
        operators[:4],
        operators[-3:],
        operators[::2],
        operators[1::3],
        operators,
    ]


def test_what_is_kept_is_float_in_both_files_and_nothing_else_is(
    variants: Variants, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 40)
    tflite, onnx = tmp_path / "x.tflite", tmp_path / "x.onnx"
    variants.write(Recipe("float32"), {"tflite": tflite})
    exact = outputs_of(tflite, samples)
    plain: float | None = None
    for kept in [[], *kept_sets(list(variants.operators))]:
        recipe = Recipe(keep_float=dict.fromkeys(kept, "noisy"))
        variants.write(recipe, {"tflite": tflite, "onnx": onnx})

        assert float_operators_of(variants.job.integer_graph, tflite) == set(kept)
        weighted = [name for name in kept if variants.operators[name] in WEIGHTED]
        assert float_weights_of(onnx) == len(weighted), kept
        first, second = (sqnr(exact, outputs_of(path, samples)) for path in (tflite, onnx))
        if len(kept) < len(variants.operators):
            assert abs(first - second) < 0.6, kept
        plain = first if plain is None else plain
    assert plain is not None and plain < 40
    assert first > 100, "all operators in float: the original"


@pytest.mark.parametrize("interface", ["float", "int8"])
def test_ends_are_what_the_interface_says_whatever_is_kept(
    interface: str, mobile: Path, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "calib", 10)
    variants = variants_of(mobile, samples, tmp_path, interface=interface)
    names = list(variants.operators)
    tflite, onnx = tmp_path / "x.tflite", tmp_path / "x.onnx"
    for kept in ([names[0]], [names[-1]], [names[0], names[-1]]):
        variants.write(Recipe(keep_float=dict.fromkeys(kept, "")), {"tflite": tflite, "onnx": onnx})
        first, second = (outputs_of(path, samples) for path in (tflite, onnx))
        assert float_operators_of(variants.job.integer_graph, tflite) == set(kept)
        assert sqnr(first, second) > 35


def test_kept_operators_are_counted_by_a_note_of_their_own(
    mobile: Path, digits: Path, tmp_path: Path
) -> None:
    targets = {("tflite", "int8"): tmp_path / "x.tflite", ("onnx", "int8"): tmp_path / "x.onnx"}
    made = convert(
        load_model(str(mobile)),
        targets,  # type: ignore[arg-type]
        images_of(digits, "calib", 10),
        scratch=tmp_path,
        keep_float=["first_depthwise", "stem"],
    )
    assert made.notes == ("2 of 12 operators stay in float32 in int8 by recipe",)
    assert made.alike
    (document,) = {id(d): d for d in made.recipes.values()}.values()
    kept = [o for o in document.operators if o.precision == "float32"]
    assert [(o.kind, o.why) for o in kept] == [
        ("CONV_2D", "asked for"),
        ("DEPTHWISE_CONV_2D", "asked for"),
    ]
    assert document.in_float == 2


def test_a_layer_is_named_as_in_keras_with_all_its_operators(variants: Variants) -> None:
    assert set(variants.layers) >= {
        "stem", "first_expand", "first_norm", "first_depthwise", "joined", "pool", "mean", "digit",
    }  # fmt: skip
    assert variants.layers["first_expand"] == variants.layers["first_norm"], "folded into one"
    assert [variants.operators[name] for name in variants.layers["digit"]] == [
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]


def test_a_name_that_is_none_is_refused_with_the_nearest(
    variants: Variants, mobile: Path, digits: Path, tmp_path: Path
) -> None:
    wrong = Recipe(keep_float={"stem/Sqeeze1": ""})
    with pytest.raises(ConversionError, match=r"'stem/Sqeeze1' is no operator .*'stem/"):
        variants.write(wrong, {"tflite": tmp_path / "x.tflite"})
    with pytest.raises(ConversionError, match=r"keep_float='frist_expand': .*'first_expand'"):
        convert(
            load_model(str(mobile)),
            {("tflite", "int8"): tmp_path / "x.tflite"},
            images_of(digits, "calib", 3),
            scratch=tmp_path,
            keep_float=["frist_expand"],
        )


def test_what_is_in_a_loop_is_refused(digits: Path, tmp_path: Path) -> None:
    from edgekit_converters.tflite import flatbuffer

    rows = [{"rows": s["image"][..., 0]} for s in images_of(digits, "calib", 5)]
    variants = variants_of(digits / "lstm.keras", rows, tmp_path)
    loop = next(name for name, kind in variants.operators.items() if kind == "WHILE")
    body = flatbuffer.read(variants.job.integer_graph).subgraphs[-1]
    inside = flatbuffer.name(body.tensors[body.operators[-1].outputs[0]])
    for name in (loop, inside):
        with pytest.raises(ConversionError, match="the loop of a recurrent layer"):
            variants.write(Recipe(keep_float={name: ""}), {"tflite": tmp_path / "x.tflite"})
    dense = variants.layers["digit"]
    variants.write(
        Recipe(keep_float=dict.fromkeys(dense, "")),
        {"tflite": tmp_path / "x.tflite", "onnx": tmp_path / "x.onnx"},
    )
    first, second = (outputs_of(tmp_path / f"x.{suffix}", rows) for suffix in ("tflite", "onnx"))
    assert sqnr(first, second) > 30
