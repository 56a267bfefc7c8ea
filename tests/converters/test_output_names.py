"""Names of outputs: the keys of a model that returns a dict, in files, manifest, report and labels."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
import edgekit_converters
from edgekit_converters import FORMATS, PRECISIONS, ConversionError, load_model

TARGETS = [(form, precision) for form in FORMATS for precision in PRECISIONS]


def model_of(outputs: Callable[[Any, Callable[..., Any]], Any]) -> Any:
    """A model of one input ``x``, whose outputs ``outputs(x, Dense)`` returns, in any structure."""
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="x")
    return keras.Model(x, outputs(x, keras.layers.Dense))


def series_of(x: Any) -> Any:
    """The six numbers as a series of two, on which a dense layer is a Gemm between two reshapes."""
    import keras

    return keras.layers.Reshape((2, 3))(x)


def faces() -> Any:
    """A model whose layers are called otherwise than its outputs: one as the other's key."""
    import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((16,), name="x")
    hidden = keras.layers.Dense(32, activation="relu", name="age")(x)
    emotion = keras.layers.Dense(4, activation="softmax", name="head_1")(hidden)
    return keras.Model(x, {"emotion": emotion, "age": keras.layers.Dense(1, name="head_2")(hidden)})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a .keras file, its samples with labels of both outputs, and its ten files."""
    model = faces()
    x = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    truth = model.predict(x, verbose=0)
    folder = tmp_path_factory.mktemp("faces")
    model.save(folder / "faces.keras")
    labels = {"y_age": truth["age"], "y_emotion": truth["emotion"].argmax(-1)}
    np.savez(folder / "samples.npz", x=x, **labels)
    edgekit.convert(
        folder / "faces.keras", folder / "samples.npz", folder / "out", precision=PRECISIONS
    )
    return folder


@pytest.mark.parametrize(("form", "precision"), TARGETS)
def test_every_file_has_the_keys_as_names_and_the_right_values(
    saved: Path, form: str, precision: str
) -> None:
    x = np.load(saved / "samples.npz")["x"]
    with edgekit.open_model(saved / "faces.keras") as original:
        expected = original.run({"x": x})
    with edgekit.open_model(saved / f"out/model_{precision}.{form}") as model:
        got = model.run({"x": x})
    assert set(got) == set(expected) == {"age", "emotion"}
    for name, values in expected.items():
        step = 1e-5 if precision == "float32" else np.ptp(values) / 20
        np.testing.assert_allclose(got[name], values, atol=step)


def test_manifest_report_and_labels_go_by_the_keys(saved: Path) -> None:
    report = json.loads((saved / "out/report.json").read_text())
    manifest = json.loads((saved / "out/manifest.json").read_text())
    for file in manifest["files"]:
        assert {o["name"] for o in file["outputs"]} == {"age", "emotion"}
    for file in report["files"]:
        first = {r["output"]: r["metrics"][0]["metric"] for r in file["results"]}
        assert first == {"age": "r2", "emotion": "top1"}  # each judged with its own labels


def test_files_and_the_keras_original_validate_by_the_keys(saved: Path) -> None:
    files = [saved / "out/model_int8.tflite", saved / "out/model_int8.onnx"]
    limit = {"top1@emotion": "10%"}
    report = edgekit.validate(saved / "faces.keras", files, saved / "samples.npz", max_drop=limit)
    assert report
    for file in report.files:
        assert {r.output for r in file.results} == {"age", "emotion"}


NAMES: dict[str, tuple[Callable[[Any, Any], Any], list[str]]] = {
    "a dict of lists": (lambda x, d: {"boxes": [d(4)(x), d(5)(x)]}, ["boxes_0", "boxes_1"]),
    "a dict in a dict": (lambda x, d: {"head": {"age": d(1)(x)}}, ["head_age"]),
    "a list of a dict": (lambda x, d: [{"age": d(1)(x)}, d(2)(x)], ["age", "output_1"]),
    "equal keys": (
        lambda x, d: [{"age": d(1)(x)}, {"age": d(2)(x)}],
        ["output_0_age", "output_1_age"],
    ),
    "keys that are layers": (
        lambda x, d: {"a": d(1, name="b")(x), "b": d(2, name="a")(x)},
        ["a", "b"],
    ),
    "one output": (lambda x, d: {"age": d(1, name="dense")(x)}, ["age"]),
    "other characters": (
        lambda x, d: {"head/âge (years)": d(1)(x), "p=0.5": d(2)(x)},
        ["head_âge__years_", "p_0.5"],
    ),
    "one tensor twice": (lambda x, d: (lambda y: {"a": y, "b": y})(d(2)(x)), ["a", "b"]),
    "an output that is read on": (
        lambda x, d: (lambda y: {"a": y, "b": d(3)(y)})(d(2)(x)),
        ["a", "b"],
    ),
    "names that values inside are given": (
        lambda x, d: (
            lambda s: {
                name: d(2, activation="relu")(s)
                for name in ("b", "b_linear", "b_in", "b_out", "b_rows", "b_shape", "b_unquantized")
            }
        )(series_of(x)),
        ["b", "b_in", "b_linear", "b_out", "b_rows", "b_shape", "b_unquantized"],
    ),
    "the input": (lambda x, d: {"a": d(1)(x), "same": x}, ["a", "same"]),
    "no dict": (lambda x, d: [d(1, name="a")(x), [d(2, name="b")(x)]], ["a", "b"]),
    "no dict, one tensor twice": (
        lambda x, d: (lambda y: [y, y])(d(1, name="a")(x)),
        ["output_0", "output_1"],
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_other_structures(kind: str, tmp_path: Path) -> None:
    outputs, names = NAMES[kind]
    model = model_of(outputs)
    model.save(tmp_path / "model.keras")
    loaded = load_model(str(tmp_path / "model.keras"))
    assert loaded.output_names == names
    x = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    (tmp_path / "out").mkdir()
    targets = {(f, p): tmp_path / f"out/{p}.{f}" for f, p in TARGETS if p in ("float32", "int8")}
    edgekit_converters.convert(loaded, targets, [{"x": row} for row in x], scratch=tmp_path)
    with edgekit.open_model(tmp_path / "model.keras") as original:
        expected = original.run({"x": x})
    assert list(expected) == names
    for (_, precision), path in targets.items():
        with edgekit.open_model(path) as file:
            got = file.run({"x": x})
        assert sorted(got) == sorted(names)
        for name, values in expected.items():
            step = 1e-5 if precision == "float32" else np.ptp(values) / 20
            np.testing.assert_allclose(got[name], values, atol=step)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (lambda x, d: {"a": {"b": d(1)(x)}, "a_b": d(1)(x)}, r"two outputs .* 'a_b', .*\['a'\]"),
        (lambda x, d: {"x": d(1)(x), "y": d(1)(x)}, r"output\['x'\] .* the name of the input 'x'"),
        (lambda x, d: {"": d(1)(x), "y": d(1)(x)}, r"output\[''\] has no name"),
    ],
)
def test_keys_that_cannot_be_names_are_refused(
    outputs: Callable[[Any, Any], Any], words: str, tmp_path: Path
) -> None:
    model_of(outputs).save(tmp_path / "model.keras")
    with pytest.raises(ConversionError, match=f"model.keras: .*{words}.*other keys"):
        load_model(str(tmp_path / "model.keras"))


@pytest.mark.parametrize("suffix", [".h5", ""])
def test_the_keys_are_kept_in_hdf5_and_in_a_saved_model(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"faces{suffix}"
    if suffix:
        faces().save(path)
    else:
        faces().export(path, verbose=False)
    assert load_model(str(path)).output_names == ["age", "emotion"]


def test_a_mixed_policy_keeps_the_keys(tmp_path: Path) -> None:
    model_of(lambda x, d: {"age": d(1, dtype="mixed_float16")(x)}).save(tmp_path / "m.keras")
    assert load_model(str(tmp_path / "m.keras")).output_names == ["age"]


def test_a_subclassed_model_names_its_outputs_by_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_model.py").write_text(
        "import keras, numpy as np\n"
        "class Net(keras.Model):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.one, self.two = keras.layers.Dense(1), keras.layers.Dense(2)\n"
        "    def call(self, x):\n"
        "        return {'emotion': self.two(x), 'age': self.one(x)}\n"
        "def net():\n"
        "    model = Net()\n"
        "    model(np.zeros((1, 4), np.float32))\n"
        "    return model\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load_model("own_model:net").output_names == ["age", "emotion"]
