"""Operators rewritten for integers: where all of them stay in float, a file has the original ones."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.models import train
from support.once import once
from support.recipes import images_of, outputs_of, sqnr, variants_of

from edgekit_converters import ConversionError, Recipe, Variants
from edgekit_converters.tflite import flatbuffer


def save_rows(folder: Path) -> None:
    """Rows of digits as a series, normalized, with hard_swish; trained."""
    import keras
    from keras import layers

    from edgekit.workflows.demo import digits

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.Dense(16, name="embed")(layers.Reshape((8, 8))(image))
    x = layers.Dense(24, activation="hard_swish", name="wide")(
        layers.LayerNormalization(name="norm")(x)
    )
    x = layers.Flatten()(layers.LayerNormalization(name="second")(x))
    model = keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x))
    images, labels = digits()
    train(model, images[:697], labels[:697], epochs=10).save(folder / "rows.keras")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "rows", save_rows) / "rows.keras"


@pytest.fixture(scope="module")
def variants(rows: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    return variants_of(rows, images_of(digits, "calib", 40), tmp_path_factory.mktemp("variants"))


def kinds_of(path: Path) -> Counter[str]:
    """How many operators of each kind a TFLite file has, or nodes an ONNX file."""
    if path.suffix == ".onnx":
        import onnx

        return Counter(node.op_type for node in onnx.load(str(path)).graph.node)
    model = flatbuffer.read(path)
    return Counter(flatbuffer.kind_name(model, o) for o in model.subgraphs[0].operators)


def form_with(variants: Variants, part: str) -> tuple[str, ...]:
    """What the form of which an original operator's name has this part is made of."""
    return next(f.made for f in variants.forms if any(part in name for name in f.original))


def write(variants: Variants, kept: Any, folder: Path, **options: Any) -> tuple[Path, Path]:
    tflite, onnx = folder / "x.tflite", folder / "x.onnx"
    recipe = Recipe(keep_float=dict.fromkeys(kept, "fast"), **options)
    variants.write(recipe, {"tflite": tflite, "onnx": onnx})
    return tflite, onnx


def test_forms_are_named_by_operators_of_both_graphs(variants: Variants) -> None:
    model = flatbuffer.read(variants.job.graph)
    main = model.subgraphs[0]
    before = {
        flatbuffer.name(main.tensors[o.outputs[0]]): flatbuffer.kind_name(model, o)
        for o in main.operators
    }
    originals = [[before[name] for name in form.original] for form in variants.forms]

    assert [kinds for kinds in originals if len(kinds) > 1] == 2 * [["SQUARED_DIFFERENCE", "MEAN"]]
    assert ["HARD_SWISH"] in originals
    for form in variants.forms:
        assert form.original[-1] == form.made[-1]
        assert set(form.made) <= set(variants.operators)


def test_the_original_operators_are_in_both_files_where_a_whole_form_stays_in_float(
    variants: Variants, tmp_path: Path
) -> None:
    plain = [kinds_of(path) for path in write(variants, [], tmp_path)]
    assert not plain[0].keys() & {"HARD_SWISH", "SQUARED_DIFFERENCE"}

    swish = [kinds_of(path) for path in write(variants, form_with(variants, "wide"), tmp_path)]
    assert swish[0]["HARD_SWISH"] == 1
    assert swish[0]["BATCH_MATMUL"] == 2
    assert swish[1]["HardSwish"] == 1

    norm = [kinds_of(path) for path in write(variants, form_with(variants, "norm/"), tmp_path)]
    assert norm[0]["SQUARED_DIFFERENCE"] == 1
    assert norm[0]["BATCH_MATMUL"] == 1
    assert norm[1]["GlobalAveragePool"] == plain[1]["GlobalAveragePool"] + 1
    assert norm[1]["MatMul"] == plain[1]["MatMul"] - 1


def test_a_form_that_stays_in_float_in_part_stays_as_it_is(
    variants: Variants, tmp_path: Path
) -> None:
    part = form_with(variants, "wide")[1:]
    tflite, _ = write(variants, part, tmp_path)

    assert kinds_of(tflite)["HARD_SWISH"] == 0


def test_with_all_operators_in_float_files_are_the_original_and_compute_its_numbers(
    variants: Variants, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 40)
    files = write(variants, variants.operators, tmp_path)

    assert kinds_of(files[0]) == kinds_of(variants.job.graph)
    exact = outputs_of(variants.job.graph, samples)
    assert all(sqnr(exact, outputs_of(path, samples)) > 100 for path in files)


@pytest.mark.parametrize("options", [{}, {"correct_bias": True}, {"precision": "int16x8"}])
def test_both_files_compute_the_same_whatever_forms_stay_in_float(
    options: dict[str, Any], variants: Variants, digits: Path, tmp_path: Path
) -> None:
    samples = images_of(digits, "eval", 40)
    exact = outputs_of(variants.job.graph, samples)
    whole = [name for form in variants.forms for name in form.made]
    apart: list[float] = []
    for kept in ([], form_with(variants, "norm/"), whole):
        files = write(variants, kept, tmp_path, **options)
        first, second = (sqnr(exact, outputs_of(path, samples)) for path in files)
        assert first > 30, kept
        apart.append(abs(first - second))
    assert max(apart) < apart[0] + 0.5, "the first are without a form in float"


def test_the_same_bytes_twice_and_after_other_recipes(
    variants: Variants, rows: Path, digits: Path, tmp_path: Path
) -> None:
    kept = [name for form in variants.forms for name in form.made]
    first = [path.read_bytes() for path in write(variants, kept, tmp_path)]
    again = variants_of(rows, images_of(digits, "calib", 40), tmp_path)
    write(again, form_with(again, "norm/"), tmp_path)

    assert [path.read_bytes() for path in write(again, kept, tmp_path)] == first


def test_names_of_the_original_operators_alone_are_refused(
    variants: Variants, tmp_path: Path
) -> None:
    squares = next(f.original[0] for f in variants.forms if len(f.original) > 1)
    with pytest.raises(ConversionError, match="is no operator of this model"):
        write(variants, [squares], tmp_path)
