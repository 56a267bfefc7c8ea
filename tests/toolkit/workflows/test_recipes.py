"""A recipe is data: ``convert`` writes what it did, and does it again by that."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from support.json_schema import SCHEMAS
from support.once import once
from support.recipes import float_weights_of

import edgekit
from edgekit.bundle.manifest import read_manifest
from edgekit.bundle.recipes import read_recipes, recipe_from_json, recipe_to_json
from edgekit.cli.main import main
from edgekit_converters import ConversionError, Recipe

FILES = ("model_int8.tflite", "model_int8.onnx")


@pytest.fixture(scope="module")
def by_hand(mobile: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of which two layers stay in float, by options."""

    def convert(folder: Path) -> None:
        report = edgekit.convert(
            mobile,
            digits / "calib.npz",
            folder,
            precision="int8",
            samples=40,
            keep_float="stem,second_depthwise",
            ranges="percentile:99.9",
        )
        assert "2 of 12 operators stay in float32 in int8 by recipe" in report.notes

    return once(tmp_path_factory, "mobile-by-hand", convert)


def edited(source: Path, target: Path, edit: Any) -> Path:
    """A recipe with something changed in it."""
    content = json.loads(source.read_text())
    edit(content["recipes"])
    target.write_text(json.dumps(content))
    return target


def test_a_recipe_that_the_files_are_not_made_by_does_not_stay(
    by_hand: Path, digits: Path, tmp_path: Path
) -> None:
    for name in ("recipe.json", "manifest.json"):
        (tmp_path / name).write_bytes((by_hand / name).read_bytes())

    edgekit.convert(digits / "mlp.keras", output=tmp_path, precision="float32", to="tflite")
    assert not (tmp_path / "recipe.json").exists()

    (tmp_path / "recipe.json").write_text('{"flour": "500 g"}')
    edgekit.convert(digits / "mlp.keras", output=tmp_path, precision="float32", to="tflite")
    assert (tmp_path / "recipe.json").exists(), "somebody else's"


def test_the_document_says_what_each_operator_got_and_why(by_hand: Path) -> None:
    content = json.loads((by_hand / "recipe.json").read_text())
    Draft202012Validator(SCHEMAS["recipe.schema.json"]()).validate(content)
    assert content["recipes"].keys() == {"tflite", "onnx"}
    recipe = content["recipes"]["onnx"]
    assert (recipe["precision"], recipe["ranges"]) == ("int8", "percentile:99.9")
    assert len(recipe["operators"]) == 12
    kept = [o for o in recipe["operators"] if o["precision"] == "float32"]
    assert [(o["kind"], o["why"]) for o in kept] == [
        ("CONV_2D", "asked for"),
        ("DEPTHWISE_CONV_2D", "asked for"),
    ]
    assert float_weights_of(by_hand / "model_int8.onnx") == 2


def test_the_manifest_says_what_a_file_was_made_by(by_hand: Path, converted: Path) -> None:
    manifest = read_manifest(by_hand)
    assert manifest is not None
    entries = [entry.recipe for entry in manifest.files]
    assert entries[0] is not None
    assert entries == [entries[0]] * 2
    assert (entries[0].in_float, entries[0].operators) == (2, 12)
    plain = read_manifest(converted)
    assert plain is not None
    numbers = {e.precision: e.recipe and e.recipe.in_float for e in plain.files}
    assert numbers == {"float32": None, "float16": None, "dynamic": None, "int8": 0, "int16x8": 0}


def test_a_recipe_gives_the_same_bytes_again_and_formats_may_have_others(
    by_hand: Path, mobile: Path, digits: Path, tmp_path: Path
) -> None:
    def plain(recipes: Any) -> None:
        for operator in recipes["onnx"]["operators"]:
            operator.update(precision="int8", why="")

    recipe = edited(by_hand / "recipe.json", tmp_path / "r.json", plain)
    command = [
        "convert",
        str(mobile),
        "--data",
        str(digits / "calib.npz"),
        "-o",
        str(tmp_path / "o"),
    ]
    result = CliRunner().invoke(main, [*command, "--samples", "40", "--recipe", str(recipe)])
    assert result.exit_code == 0, result.output

    first, second = ((folder / FILES[0]).read_bytes() for folder in (by_hand, tmp_path / "o"))
    assert first == second
    assert (tmp_path / "o" / "model_float32.tflite").exists(), "what a recipe adds to"
    assert float_weights_of(tmp_path / "o" / "model_int8.onnx") == 0
    assert read_recipes(tmp_path / "o" / "recipe.json") == read_recipes(recipe)


def test_a_model_trained_again_gets_the_same_treatment(
    by_hand: Path, mobile: Path, digits: Path, tmp_path: Path
) -> None:
    import keras

    again = keras.models.load_model(mobile)
    for variable in again.trainable_variables:
        variable.assign(variable * 1.01)
    again.save(tmp_path / "again.keras")
    edgekit.convert(
        tmp_path / "again.keras",
        digits / "calib.npz",
        tmp_path / "o",
        to="onnx",
        samples=40,
        recipe=by_hand / "recipe.json",
    )
    assert float_weights_of(tmp_path / "o" / "model_int8.onnx") == 2
    made = read_recipes(tmp_path / "o" / "recipe.json")
    assert made == {"onnx": read_recipes(by_hand / "recipe.json")["onnx"]}


def _renamed(recipes: Any) -> None:
    recipes["tflite"]["operators"][1]["output"] += "x"


def _other_kind(recipes: Any) -> None:
    recipes["tflite"]["operators"][1]["kind"] = "MEAN"


def _left_out(recipes: Any) -> None:
    del recipes["tflite"]["operators"][0]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_renamed, r"has the operator '(.+)x' \(CONV_2D\), and the model has none .*mean '\1'"),
        (_other_kind, r"operator '.+' is MEAN, and the model's is CONV_2D"),
        (
            _left_out,
            r"the model has the operator 'stem.*' \(CONV_2D\), of which the recipe says no",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_by_the_operator(
    edit: Any, message: str, by_hand: Path, mobile: Path, digits: Path, tmp_path: Path
) -> None:
    recipe = edited(by_hand / "recipe.json", tmp_path / "r.json", edit)
    with pytest.raises(ConversionError, match=message):
        edgekit.convert(
            mobile, digits / "calib.npz", tmp_path / "o", to="tflite", samples=10, recipe=recipe
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "nothing.json"}, "nothing.json: not a recipe that can be read"),
        ({"precision": "float32"}, "is for int8, and precision is float32"),
        ({"ranges": "percentile"}, "ranges='percentile': choose extremes, mse, or percentile:P"),
    ],
)
def test_what_cannot_be_is_refused_before_tensorflow_is_loaded(
    options: Any, message: str, by_hand: Path, mobile: Path, digits: Path, tmp_path: Path
) -> None:
    steps: list[str] = []
    with pytest.raises((edgekit.DataError, ConversionError), match=message):
        edgekit.convert(
            mobile,
            digits / "calib.npz",
            tmp_path / "o",
            progress=steps.append,
            **{"recipe": by_hand / "recipe.json", **options},
        )
    assert steps == []


def test_recipes_as_plain_values_and_back() -> None:
    operators = {"a": "CONV_2D", "b": "MEAN"}
    recipes = {"onnx": Recipe(keep_float={"b": "noisy"}, seed=3), "tflite": Recipe("dynamic")}
    plain = recipe_to_json(recipes, operators)
    Draft202012Validator(SCHEMAS["recipe.schema.json"]()).validate(plain)
    documents = recipe_from_json(json.loads(json.dumps(plain)))
    assert documents["onnx"].operators[1].why == "noisy"
    assert (
        recipe_to_json({"onnx": recipes["onnx"]}, operators)["recipes"]["onnx"]
        == (plain["recipes"]["onnx"])
    )
    for broken in ([], {}, {**plain, "recipes": {"x": plain["recipes"]["onnx"]}}):
        with pytest.raises(ValueError, match=r"schema|format"):
            recipe_from_json(broken)
    plain["recipes"]["onnx"]["precision"] = "int4"
    with pytest.raises(ValueError, match="precision: one of float32"):
        recipe_from_json(plain)
