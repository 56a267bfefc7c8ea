"""A file's inputs and outputs found again, whatever its converter called them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.data.samples import DataError
from edgekit.inference.tensor_names import with_original_names
from edgekit_converters.tflite import flatbuffer
from edgekit_runtimes import Session, TensorSpec, keras_session, open_model

Array = npt.NDArray[Any]
Ends = list[tuple[str, tuple[int, ...]]]


def model(inputs: Ends, outputs: Ends) -> Any:
    """Every output is a dense layer on all inputs."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    given = [layers.Input(shape, name=name) for name, shape in inputs]
    flat = [layers.Flatten()(x) for x in given]
    joined = layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    made = {}
    for name, (size,) in outputs:
        made[name] = layers.Dense(size, name=name.replace(":", "_"))(joined)
    return keras.Model(given, made)


def written(model: Any, folder: Path, inputs: dict[str, str], outputs: dict[str, str]) -> Path:
    """A float TFLite file of edgekit's, with the ends called otherwise, as another converter would."""
    import edgekit

    edgekit.convert(model, output=folder, to=["tflite"], precision=["float32"])
    path = folder / "model_float32.tflite"
    content = flatbuffer.read(path)
    graph = content.subgraphs[0]
    for ends, names in ((graph.inputs, inputs), (graph.outputs, outputs)):
        for index in ends:
            tensor = graph.tensors[index]
            tensor.name = names.get(flatbuffer.name(tensor), flatbuffer.name(tensor)).encode()
    content.signatureDefs = []
    flatbuffer.write(content, path)
    (folder / "manifest.json").unlink()  # which lists another file
    return path


class Ended:
    """What a match looks at: the ends of a session, and no more."""

    device = "cpu"

    def __init__(self, inputs: Ends, outputs: Ends, path: str = "it.tflite") -> None:
        self.path = Path(path)
        self.inputs, self.outputs = (
            [TensorSpec(name, (None, *shape), "float32") for name, shape in ends]
            for ends in (inputs, outputs)
        )


def matched(wanted: Ends, there: Ends) -> dict[str, str]:
    """The inputs of a file by the inputs of its original."""
    y = [("y", (1,))]
    return dict(with_original_names(Ended(there, y), Ended(wanted, y)).inputs)  # type: ignore[arg-type]


A, B = ("a", (4,)), ("b", (4,))


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        # The same names, in any order.
        ([A, B], [B, A], ["a", "b"]),
        # TFLiteConverter's, Keras' ONNX export's, and those of SavedModels.
        ([("image", (8, 8))], [("serving_default_image:0", (8, 8))], ["serving_default_image:0"]),
        ([("image", (8, 8))], [("args_0", (8, 8))], ["args_0"]),
        ([("keras_tensor_3", (5,))], [("StatefulPartitionedCall:0", (5,))],
         ["StatefulPartitionedCall:0"]),
        ([("user", (1,)), ("item", (1,))],
         [("serving_default_item:0", (1,)), ("serving_default_user:0", (1,))],
         ["serving_default_user:0", "serving_default_item:0"]),
        # A short name is part of many: `serving_default` holds an a.
        ([A, B], [("serving_default_b:0", (4,)), ("serving_default_a:0", (4,))],
         ["serving_default_a:0", "serving_default_b:0"]),
        ([("x", (4,)), ("x_1", (4,))],
         [("serving_default_x_1:0", (4,)), ("serving_default_x:0", (4,))],
         ["serving_default_x:0", "serving_default_x_1:0"]),
        ([("image", (4,)), ("image_mask", (4,))],
         [("serving_default_image_mask:0", (4,)), ("serving_default_image:0", (4,))],
         ["serving_default_image:0", "serving_default_image_mask:0"]),
        # By shape, where that leaves no choice.
        ([("p", (6,)), ("q", (4,))], [("in:0", (4,)), ("in:1", (6,))], ["in:1", "in:0"]),
        ([("p", (6,)), ("q", (4,)), ("r", (5,))], [("q", (4,)), ("in:0", (5,)), ("in:1", (6,))],
         ["in:1", "q", "in:0"]),
        # A name that holds the other, of another shape, is none: "all" is in "StatefulPartitionedCall".
        ([("all", (2,)), ("kind", (3,))],
         [("StatefulPartitionedCall:0", (3,)), ("Identity", (2,))],
         ["Identity", "StatefulPartitionedCall:0"]),
        # A dynamic dimension fits any.
        ([("p", (6,)), ("q", (4, 4))], [("in:0", (4, 4)), ("in:1", (6,))], ["in:1", "in:0"]),
        # A file may have more ends than are asked for.
        ([A], [B, A], ["a"]),
    ],
)  # fmt: skip
def test_an_end_is_found_by_name_then_by_part_of_a_name_then_by_shape(
    wanted: Ends, there: Ends, expected: list[str]
) -> None:
    assert matched(wanted, there) == dict(zip([name for name, _ in wanted], expected, strict=True))


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ([A, B], [("in:0", (4,)), ("in:1", (4,))]),  # two of one shape: a choice
        ([("p", (6,))], [("in:0", (7,))]),
        ([("p", (6,))], [("in:0", (6, 1))]),
        ([A, B], [("a", (4,))]),
        ([("p", (6,))], [("in:0", (6,)), ("in:1", (6,))]),
    ],
)
def test_without_a_counterpart_both_lists_are_told(wanted: Ends, there: Ends) -> None:
    with pytest.raises(DataError) as caught:
        matched(wanted, there)

    said = str(caught.value)
    assert said.startswith("it.tflite: its inputs are ")
    assert "Was it made from this model?" in said
    for name, shape in there:
        assert f"{name}" in said and ", ".join(map(str, shape)) in said
    missing = said.partition("the original's ")[2]
    assert any(name in missing for name, _ in wanted)


def test_only_what_is_missing_is_called_so() -> None:
    with pytest.raises(DataError, match=r"the original's q.* matches none of them"):
        matched([A, ("q", (9,))], [A, ("in:0", (7,))])


def test_a_renamed_file_answers_under_the_originals_names(tmp_path: Path) -> None:
    ends: tuple[Ends, Ends] = ([("p", (6,)), ("q", (4,))], [("first", (2,)), ("second", (3,))])
    keras_model = model(*ends)
    path = written(
        keras_model,
        tmp_path / "out",
        {"p": "serving_default_p:0", "q": "serving_default_q:0"},
        {"first": "StatefulPartitionedCall:1", "second": "StatefulPartitionedCall:0"},
    )
    original = keras_session(keras_model, "the model")
    random = np.random.default_rng(0)
    batch: dict[str, Array] = {
        "p": random.normal(size=(3, 6)).astype(np.float32),
        "q": random.normal(size=(3, 4)).astype(np.float32),
    }
    with open_model(path) as session:
        assert isinstance(session, Session)
        assert [i.name for i in session.inputs] != ["p", "q"]
        speaker = with_original_names(session, original)
        expected = original.run(batch)
        whole = speaker.run(batch)
        one_by_one = list(speaker.map({name: a[i] for name, a in batch.items()} for i in range(3)))

    assert set(whole) == {"first", "second"}
    for name, values in expected.items():
        np.testing.assert_allclose(whole[name], values, atol=1e-5)
        np.testing.assert_allclose(np.stack([y[name] for y in one_by_one]), values, atol=1e-5)
    assert speaker.device == session.device
