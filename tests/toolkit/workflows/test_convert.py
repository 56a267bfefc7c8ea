"""``edgekit.convert``: real models, real samples, real runtimes."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.workflows.demo import digits_cnn
from edgekit.workflows.worker import WorkerError
from edgekit_converters import FORMATS, PRECISIONS, load_model


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_file_answers_like_the_original(
    digits: Path, converted: Path, form: str, precision: str
) -> None:
    samples = np.load(digits / "eval.npz")
    with (
        edgekit.open_model(digits / "cnn.keras") as original,
        edgekit.open_model(converted / f"model_{precision}.{form}") as model,
    ):
        expected, got = original.run(samples["image"]), model.run(samples["image"])
    assert got.shape == expected.shape
    assert (got.argmax(1) == expected.argmax(1)).mean() >= 0.99
    tolerance = {"float32": 1e-5, "float16": 1e-2}.get(precision, 0.2)
    np.testing.assert_allclose(got, expected, atol=tolerance)


def test_the_int8_onnx_file_cannot_saturate(converted: Path) -> None:
    """Its fused kernels give what the same graph gives computed in float."""
    import onnx
    import onnxruntime

    path = converted / "model_int8.onnx"
    kinds = {i.data_type for i in onnx.load(str(path)).graph.initializer if i.name.endswith("_q")}
    assert kinds <= {onnx.TensorProto.UINT8, onnx.TensorProto.INT32}
    image = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    answers = []
    for unfused in ("0", "1"):
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.disable_quant_qdq", unfused)
        session = onnxruntime.InferenceSession(str(path), options)
        answers.append(session.run(None, {"image": image})[0])
    np.testing.assert_allclose(*answers, atol=1 / 128)


def test_the_report_and_the_manifest_tell_what_is_there(converted: Path) -> None:
    from edgekit.bundle.folder import sha256

    report, manifest = load(converted / "report.json"), load(converted / "manifest.json")
    assert report["verdict"] == "pass"
    assert {f["name"] for f in report["files"]} == {f["file"] for f in manifest["files"]}
    assert report["calibrated_on"] == 200
    assert report["evaluated_on"] == 500
    for entry in manifest["files"]:
        path = converted / entry["file"]
        assert entry["sha256"] == sha256(path)
        assert entry["bytes"] == path.stat().st_size
        assert [i["name"] for i in entry["inputs"]] == ["image"]
        assert [o["name"] for o in entry["outputs"]] == ["digit"]
        own = entry["results"][0]["metrics"][0]
        assert own["metric"] == "top1"
        assert own["value"] > 0.9
        assert own["original"] > 0.9
    assert manifest["ranges"]["image"] == [0.0, 1.0]
    assert manifest["versions"]["tensorflow"]
    assert manifest["processor"]["architecture"]
    assert (converted / "edgekit.log").stat().st_size
    assert not list(converted.glob(".edgekit-*"))


def test_integer_files_take_real_numbers_all_the_same(digits: Path, tmp_path: Path) -> None:
    report = edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", tmp_path, precision=["int8"], io="int8"
    )
    assert report
    images = np.load(digits / "eval.npz")["image"]
    answers = {}
    for form, kind in (("tflite", "int8"), ("onnx", "uint8")):
        with edgekit.open_model(tmp_path / f"model_int8.{form}") as model:
            assert model.inputs[0].dtype == kind
            assert model.outputs[0].scale == pytest.approx(1 / 256)
            answers[form] = model.run(images)
    assert np.abs(answers["tflite"] - answers["onnx"]).mean() < 1 / 256  # a step of the output
    assert (answers["tflite"].argmax(-1) == answers["onnx"].argmax(-1)).mean() > 0.98


def test_a_fixed_batch_is_filled_up(digits: Path, tmp_path: Path) -> None:
    edgekit.convert(digits / "cnn.keras", digits / "calib.npz", tmp_path, batch=4)
    images = np.load(digits / "eval.npz")["image"][:7]
    for name in ("model_float32.tflite", "model_int8.onnx"):
        with edgekit.open_model(tmp_path / name) as model:
            assert model.inputs[0].shape[0] == 4
            assert model.run(images).shape == (7, 10)


@pytest.mark.parametrize("opset", [13, 19])
def test_one_format_alone_in_another_opset(digits: Path, tmp_path: Path, opset: int) -> None:
    import onnx

    report = edgekit.convert(
        digits / "cnn.keras", digits / "calib.npz", tmp_path, to=["onnx"], opset=opset
    )
    assert report
    assert {f.format for f in report.files} == {"onnx"}
    written = onnx.load(str(tmp_path / "model_int8.onnx"))
    assert [o.version for o in written.opset_import if not o.domain] == [opset]


def test_what_needs_no_calibration_needs_no_samples(digits: Path, tmp_path: Path) -> None:
    report = edgekit.convert(digits / "cnn.keras", None, tmp_path, precision=["float32", "dynamic"])
    assert not report.shippable
    assert len(report.files) == 4


def test_an_lstm_in_int8_is_a_good_file(digits: Path, tmp_path: Path) -> None:
    """TFLiteConverter's own full int8 ends the process on this model."""
    report = edgekit.convert(digits / "lstm.keras", digits / "rows.npz", tmp_path)
    assert report
    assert any("keep their loop" in note for note in report.notes)
    for file in report.files:
        assert file.worst_result.agreement is not None
        assert file.worst_result.agreement > (0.999 if file.precision == "float32" else 0.93)


def test_samples_are_matched_by_name_in_any_order(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    user, item = keras.Input((6,), name="user"), keras.Input((6,), name="item")
    joined = keras.layers.Concatenate()([user * 3.0, item])
    risk = keras.layers.Dense(1, activation="sigmoid", name="risk")(joined)
    score = keras.layers.Dense(3, name="score")(joined)
    model = keras.Model([user, item], [risk, score])
    random = np.random.default_rng(0)
    data = {n: random.normal(size=(90, 6)).astype(np.float32) for n in ("item", "user")}
    report = edgekit.convert(model, data, tmp_path)
    assert report
    expected = [np.asarray(y) for y in model([data["user"], data["item"]])]
    for form in FORMATS:
        with edgekit.open_model(tmp_path / f"model_float32.{form}") as session:
            got = session.run(data)
        np.testing.assert_allclose(got["risk"], expected[0], atol=1e-5)
        np.testing.assert_allclose(got["score"], expected[1], atol=1e-5)


def test_a_saved_model_folder_converts(digits: Path, tmp_path: Path) -> None:
    import keras

    model = keras.saving.load_model(digits / "cnn.keras")
    model.export(str(tmp_path / "saved"), verbose=False)
    report = edgekit.convert(tmp_path / "saved", digits / "calib.npz", tmp_path / "out")
    assert report
    assert report.files[0].worst_result.accuracy == report.files[0].worst_result.original_accuracy


def test_a_keras_2_file_with_depthwise_groups_converts(tmp_path: Path) -> None:
    """Keras 2 wrote ``groups`` into DepthwiseConv2D, which Keras 3 refuses."""
    import h5py
    import keras

    path = tmp_path / "old.h5"
    layers = keras.layers
    keras.Sequential(
        [
            layers.Input((8, 8, 3), name="image"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, name="score"),
        ]
    ).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises((TypeError, ValueError), match="groups"):
        keras.saving.load_model(path)
    assert edgekit.convert(path, "random", tmp_path / "out").files


def test_a_model_that_carries_code_needs_trust(tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2 + 1)(inputs))
    model.save(tmp_path / "code.keras")
    with pytest.raises(edgekit.ConversionError, match="trust=True"):
        edgekit.convert(tmp_path / "code.keras", "random", tmp_path / "out")
    report = edgekit.convert(tmp_path / "code.keras", "random", tmp_path / "out", trust=True)
    assert report.files


def test_a_function_may_make_the_model_and_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def model():\n"
        "    import keras\n"
        "    keras.utils.set_random_seed(0)\n"
        "    return keras.Sequential([keras.layers.Input((4,), name='x'), keras.layers.Dense(2)])\n"
        "def samples():\n"
        "    for i in range(60):\n"
        "        yield [np.random.default_rng(i).random((1, 4), np.float32)]\n"
    )
    monkeypatch.chdir(tmp_path)
    report = edgekit.convert("mine:model", "mine:samples", "out")
    assert report
    assert (report.calibrated_on, report.evaluated_on) == (40, 20)


def test_a_dense_layer_on_a_feature_map_keeps_its_bias(tmp_path: Path) -> None:
    """tf2onnx loses it where TFLite flattens by itself."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((1, 1, 6), name="x")
    dense = keras.layers.Dense(4, bias_initializer="random_normal", name="y")
    model = keras.Model(inputs, dense(keras.layers.Flatten()(keras.layers.ReLU()(inputs))))
    report = edgekit.convert(model, "random", tmp_path)
    assert all(f.worst_result.sqnr_db > 25 for f in report.files)


@pytest.mark.parametrize(("io", "least"), [("float", 25.0), ("int8", -100.0)])
def test_features_of_different_widths_are_normalized_in_float(
    tmp_path: Path, io: Any, least: float
) -> None:
    """In one int8 scale, areas of thousands would make ratios of hundredths all 0."""
    import keras
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    x = data.data.astype(np.float32)
    keras.utils.set_random_seed(0)
    normalization = keras.layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential(
        [
            keras.layers.Input((30,), name="measurements"),
            normalization,
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid", name="benign"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    model.fit(x, data.target, epochs=10, verbose=0)
    report = edgekit.convert(
        model, {"measurements": x, "y": data.target}, tmp_path, precision=["int8"], io=io
    )
    assert any("normaliz" in note for note in report.notes), report.notes
    assert bool(report) is (io == "float")
    assert all(f.worst_result.sqnr_db > least for f in report.files)


def test_an_embedding_is_no_preprocessing(tmp_path: Path) -> None:
    """Keras adds to its indices, which is arithmetic on the input too, but of whole numbers."""
    import keras
    from support.zoo import recommender, samples

    keras.utils.set_random_seed(0)
    model = recommender()
    report = edgekit.convert(model, samples(model), tmp_path, precision=["int8"])
    assert report
    assert not any("stays in float" in note for note in report.notes), report.notes


def test_random_samples_are_marked_everywhere(digits: Path, tmp_path: Path) -> None:
    report = edgekit.convert(digits / "mlp.keras", "random", tmp_path)
    assert not report.shippable
    assert not load(tmp_path / "manifest.json")["shippable"]
    assert "NOT FOR SHIPPING" in load(tmp_path / "report.json")["warnings"][0]
    for file in report.files:
        assert b"NOT FOR SHIPPING" in (tmp_path / file.name).read_bytes()


def test_images_of_another_range_are_told(digits: Path, tmp_path: Path) -> None:
    data = np.load(digits / "calib.npz")
    wrong = {"image": data["image"] * 255, "y": data["y"]}
    report = edgekit.convert(digits / "cnn.keras", wrong, tmp_path, precision=["int8"])
    assert any("1/255" in warning for warning in report.warnings), report.warnings


def test_a_range_that_misses_held_out_values_is_told(digits: Path, tmp_path: Path) -> None:
    images = np.load(digits / "calib.npz")["image"].copy()

    def samples() -> Any:
        for number, image in enumerate(images[:90]):  # of a stream, every third row is held out
            yield {"image": image * (1 if number % 3 == 2 else 0.2)}

    report = edgekit.convert(digits / "mlp.keras", samples, tmp_path, precision=["int8"])
    assert any("leave the calibrated range" in warning for warning in report.warnings)


def test_a_broken_limit_makes_the_report_false(digits: Path, tmp_path: Path) -> None:
    report = edgekit.convert(
        digits / "lstm.keras",
        np.load(digits / "rows.npz")["rows"],
        tmp_path,
        precision=["int8"],
        min={"sqnr": 300},
    )
    assert not report
    assert report.files[0].verdict == "fail"
    assert "SQNR" in report.files[0].worst_result.reason


def test_an_interrupted_run_leaves_what_was_there(digits: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "model_int8.tflite").write_bytes(b"precious")
    command = [sys.executable, "-m", "edgekit", "convert", str(digits / "cnn.keras"), "--verbose",
               "--data", str(digits / "calib.npz"), "-o", str(output)]  # fmt: skip
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True,
        # A test run that was put into the background ignores interrupts, and so would its child.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    while "float graph" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert [p.name for p in output.iterdir()] == ["model_int8.tflite"]
    assert (output / "model_int8.tflite").read_bytes() == b"precious"


@pytest.mark.fresh_worker
def test_a_time_out_names_the_step(digits: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(WorkerError, match=r"loading TensorFlow.*timeout"):
        edgekit.convert(digits / "cnn.keras", "random", tmp_path / "out", timeout=2)
    assert time.monotonic() - start < 20


def test_an_unbuilt_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.layers.Dense(2)])
    model.save(tmp_path / "unbuilt.keras")
    with pytest.raises(edgekit.ConversionError, match=r"keras\.Input"):
        edgekit.convert(tmp_path / "unbuilt.keras", "random", tmp_path / "out")


def test_pretrained_models_are_at_least_as_good_as_their_publishers(
    mlperf_tiny: Path, tmp_path: Path
) -> None:
    samples = np.load(mlperf_tiny / "calibration_samples.npz")["specs"].astype(np.float32)
    source = mlperf_tiny / "str_ww_ref_model.h5"
    report = edgekit.convert(source, samples, tmp_path)
    assert report
    expected = np.asarray(load_model(str(source))([samples]))

    def noise(path: Path) -> float:
        with edgekit.open_model(
            path, device="xnnpack" if path.suffix == ".tflite" else "mlas"
        ) as model:
            return float(np.square(model.run(samples) - expected).sum())

    publisher = noise(mlperf_tiny / "str_ww_ref_model.tflite")
    assert noise(tmp_path / "model_int8.tflite") <= publisher
    assert noise(tmp_path / "model_int8.onnx") <= publisher


def test_a_model_object_converts(tmp_path: Path) -> None:
    assert edgekit.convert(digits_cnn(), "random", tmp_path).model == "Sequential"


def test_text_and_channels_first_are_refused_with_the_way_out(tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    words = keras.Input((1,), dtype="string", name="word")
    numbers = layers.Flatten()(layers.Embedding(4, 2)(layers.StringLookup(vocabulary=["a"])(words)))
    keras.Model(words, layers.Dense(1)(numbers)).save(tmp_path / "text.keras")
    keras.Sequential(
        [keras.Input((3, 16, 16)), layers.Conv2D(4, 3, data_format="channels_first", name="first")]
    ).save(tmp_path / "first.keras")
    with pytest.raises(
        edgekit.ConversionError, match=r"text\.keras: the input word takes text.*StringLookup"
    ):
        edgekit.convert(tmp_path / "text.keras", "random", tmp_path / "out")
    with pytest.raises(edgekit.ConversionError, match=r"first\.keras: first: channels_first"):
        edgekit.convert(tmp_path / "first.keras", "random", tmp_path / "out")
