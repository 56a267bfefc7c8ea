"""Subclassed models: those that were called once convert; of those that were not, one is told what to type."""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
import edgekit_converters


def models() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Models of classes that only this process knows, called once, with the arrays of that call by name."""
    import keras

    keras.utils.set_random_seed(0)

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(8, activation="relu")
            self.out = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.out(self.hidden(x))

    class TwoNamed(Net):
        def call(self, x: dict[str, Any]) -> Any:
            return {"sum": super().call(x["p"] + x["q"]), "first": super().call(x["p"])}

    class Listed(Net):
        def call(self, x: list[Any]) -> Any:
            return super().call(x[0]) + x[1]

    random = np.random.default_rng(0)
    x, q = (random.normal(size=(60, 6)).astype(np.float32) for _ in range(2))
    made: list[tuple[Any, Any]] = [
        (Net(), x),
        (TwoNamed(), {"p": x, "q": q}),
        (Listed(), [x, q[:, :3]]),
    ]
    for model, arrays in made:
        model(keras.tree.map_structure(lambda a: a[:2], arrays))
    return {
        "one": (made[0][0], {"input": x}),
        "dict": (made[1][0], {"p": x, "q": q}),
        "list": (made[2][0], {"input": x, "input_1": q[:, :3]}),
    }


@pytest.mark.parametrize("name", ["one", "dict", "list"])
def test_a_model_that_was_called_once_is_functional(name: str, tmp_path: Path) -> None:
    import keras

    from edgekit_converters.functional import as_functional
    from edgekit_runtimes import open_model

    model, arrays = models()[name]
    functional = as_functional(model, name)
    assert [tensor.name for tensor in functional.inputs] == list(arrays)
    target = tmp_path / "model.tflite"
    edgekit_converters.convert(functional, {("tflite", "float32"): target}, scratch=tmp_path)
    expected = keras.tree.flatten(functional(list(arrays.values())))
    with open_model(target) as session:
        outputs = session.run(arrays)
    for value, key in zip(expected, functional.output_names, strict=True):
        got = outputs[key] if isinstance(outputs, dict) else outputs
        np.testing.assert_allclose(got, value, atol=1e-5)


def test_an_object_converts_whose_class_only_this_process_knows(tmp_path: Path) -> None:
    model, arrays = models()["dict"]
    report = edgekit.convert(model, arrays, tmp_path, precision="float32,int8")
    assert len(report.files) == 4
    least = {"float32": 100, "int8": 12}  # eight hidden values: each rounding is heard
    scores = {file.name: file.worst_result.sqnr_db for file in report.files}
    assert all(scores[f.name] > least[f.precision] for f in report.files), scores
    assert {result.output for result in report.files[0].results} == {"sum", "first"}


def test_the_message_for_a_model_that_was_never_called_says_what_to_type(tmp_path: Path) -> None:
    import keras

    class Net(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(edgekit.ConversionError, match=r"never called.*type model\(x\)"):
        edgekit.convert(Net(), "random", tmp_path)


def test_the_message_for_a_call_with_two_arguments_says_what_to_type() -> None:
    import keras

    from edgekit_converters.functional import as_functional

    class Net(keras.Model):
        def call(self, p: Any, q: Any) -> Any:
            return p + q

    model = Net()
    model(np.zeros((1, 4)), np.zeros((1, 4)))
    with pytest.raises(edgekit.ConversionError, match=r"more than one argument.*keras\.Model\(\[p"):
        as_functional(model, "model")


def test_a_call_that_fails_on_a_symbolic_input_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_net.py").write_text(
        "import keras, numpy as np\n"
        "class Net(keras.Model):\n"
        "    def call(self, x):\n"
        "        if not hasattr(x, 'numpy'):\n"
        "            raise RuntimeError('only arrays')\n"
        "        return keras.ops.relu(x)\n"
        "def load():\n"
        "    model = Net()\n"
        "    model(np.ones((1, 4), np.float32))\n"
        "    return model\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(edgekit_converters.ConversionError, match=r"odd_net:load: .*Net\.call"):
        edgekit_converters.load_model("odd_net:load")


def test_the_message_for_a_class_that_is_not_known_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_net.py").write_text(
        "import keras\n"
        "class Net(keras.Model):\n"
        "    def __init__(self, **options):\n"
        "        super().__init__(**options)\n"
        "        self.out = keras.layers.Dense(3)\n"
        "    def call(self, x):\n"
        "        return self.out(x)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    model = importlib.import_module("own_net").Net()
    model(np.zeros((1, 6), np.float32))
    model.save("net.keras")
    with pytest.raises(edgekit.ConversionError, match=r"model\.export\('folder'\)") as told:
        edgekit_converters.load_model("net.keras")
    assert "config" not in str(told.value)
    said = re.search(r"def load\(\): return (.*)\.$", str(told.value))
    assert said
    for name, typed in (("my_model", said[1]), ("unfinished", said[1].split(",")[0] + ")")):
        (tmp_path / f"{name}.py").write_text(
            f"import keras\nfrom own_net import Net\ndef load(): return {typed}\n"
        )
    assert edgekit_converters.load_model("my_model:load").output_shape == (1, 3)
    with pytest.raises(edgekit.ConversionError, match=r"Pass custom_objects=\{'Net': Net\} to"):
        edgekit_converters.load_model("unfinished:load")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_state_that_a_file_would_lose_is_refused(kind: str) -> None:
    import keras

    from edgekit_converters.functional import as_functional

    layers = keras.layers
    x = layers.Input((4, 3), batch_size=1, name="x")
    model = keras.Model(x, getattr(layers, kind)(2, stateful=True, name="memory")(x))
    with pytest.raises(edgekit.ConversionError, match=r"memory: stateful=True keeps the state"):
        as_functional(model, "model")


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16", "float16"])
def test_a_policy_of_16_bits_becomes_float32(policy: str) -> None:
    import keras

    from edgekit_converters.functional import as_functional

    layers = keras.layers
    x = layers.Input((6,), name="x", dtype=policy.removeprefix("mixed_"))
    model = keras.Model(x, layers.Dense(2, dtype=policy)(layers.Dense(4, dtype=policy)(x)))
    functional = as_functional(model, "model")
    assert {str(weight.dtype) for weight in functional.weights} == {"float32"}
    rows = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    expected = np.asarray(keras.ops.cast(model(rows), "float32"))
    np.testing.assert_allclose(functional([rows]), expected, atol=0.05)
