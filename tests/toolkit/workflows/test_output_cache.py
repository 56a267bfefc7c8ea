"""The original's outputs, kept from one run to the next: when they are taken, and when they must not be."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit

Run = Callable[..., tuple[bool, Any]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache, switched on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEKIT_CACHE", raising=False)
    return tmp_path / "cache/edgekit/outputs"


@pytest.fixture
def own(digits: Path, tmp_path: Path) -> Path:
    """A copy of the digits CNN."""
    return Path(shutil.copy(digits / "cnn.keras", tmp_path / "own.keras"))


@pytest.fixture
def run(own: Path, digits: Path, converted: Path) -> Run:
    """Validates the digits CNN: whether it was opened for that, and the results."""

    def validate(original: Any = own, data: Any = digits / "eval.npz", **options: Any) -> Any:
        steps: list[str] = []
        report = edgekit.validate(
            original,
            converted / "model_float32.tflite",
            data,
            progress=steps.append,
            **{"samples": 100, **options},
        )
        opened, taken = (
            any(step.startswith(words) for step in steps) for words in ("opening", "taking")
        )
        assert opened or taken  # both, where another run kept the outputs just then
        return opened, report.to_dict()["files"][0]["results"]

    return validate


def test_the_second_run_on_the_same_samples_opens_no_original(
    run: Run, own: Path, cache: Path, tmp_path: Path
) -> None:
    opened, results = run()
    assert opened
    assert run() == (False, results)
    shutil.copy(own, tmp_path / "elsewhere.keras")
    assert run(tmp_path / "elsewhere.keras") == (False, results)
    assert [path.suffix for path in cache.iterdir()] == [".outputs"] * 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in (cache, *cache.iterdir()))


def test_a_generator_is_known_by_what_it_yields(run: Run, digits: Path) -> None:
    with np.load(digits / "eval.npz") as held:
        images, labels = held["image"][:100], held["y"][:100]

    def samples() -> Iterator[Any]:
        yield from zip(images, labels, strict=True)

    def others() -> Iterator[Any]:
        yield from zip(images[::-1], labels[::-1], strict=True)

    opened, results = run(data=samples)
    assert opened
    assert run(data=samples) == (False, results)
    assert run(data=(images, labels)) == (False, results)
    assert run(data=others)[0]


def test_what_may_change_outputs_is_computed_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run()[0]
    assert run(samples=99)[0]
    assert run(trust=True)[0]
    assert run(cache=False)[0]
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    assert run()[0]
    monkeypatch.delenv("TF_DETERMINISTIC_OPS")
    assert not run()[0]


def test_another_model_of_the_same_name_is_another(run: Run, own: Path) -> None:
    import keras

    _, results = run()
    model = keras.saving.load_model(own)
    model.layers[-1].bias.assign(model.layers[-1].bias + 0.001)
    model.save(own)

    opened, others = run()
    assert opened
    assert others != results


@pytest.mark.slow
def test_a_saved_model_is_known_by_its_files_and_their_names(own: Path, run: Run) -> None:
    import keras

    from edgekit.workflows.original_key import model_key

    folder = own.with_suffix("")
    keras.saving.load_model(own).export(folder, verbose=False)
    opened, results = run(folder)
    assert opened
    assert run(folder) == (False, results)
    before = model_key(str(folder))
    (folder / "saved_model.pb").rename(folder / "another.pb")
    assert model_key(str(folder)) != before


def test_the_environment_switches_it_off(
    run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "off")
    assert run()[0]
    assert not cache.exists()


def test_a_damaged_entry_is_computed_again(run: Run, cache: Path) -> None:
    _, results = run()
    wholes = {path: path.read_bytes() for path in cache.iterdir()}
    for damage in ("cut", "flip", "empty", "junk"):
        for path, whole in wholes.items():
            middle = len(whole) // 2
            flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
            path.write_bytes(
                {"cut": whole[:-5], "flip": flipped, "empty": b"", "junk": os.urandom(5000)}[damage]
            )
        assert run() == (True, results), damage

    assert run() == (False, results)


def test_a_model_of_ones_own_code_is_never_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That code lies outside the file and may change."""
    (tmp_path / "my_layers.py").write_text(
        "import keras\n\n\n"
        "@keras.saving.register_keras_serializable('mine')\n"
        "class Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return 2 * x\n\n\n"
        "@keras.saving.register_keras_serializable('mine')\n"
        "def thrice(x):\n"
        "    return 3 * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import keras
    import my_layers  # type: ignore[import-not-found]

    from edgekit.workflows.original_key import is_whole

    x = keras.Input((4,), name="x")
    with_layer = keras.Model(x, my_layers.Twice()(x))
    with_function = keras.Model(x, keras.layers.Dense(2, activation=my_layers.thrice)(x))
    nested = keras.Model(x, with_function(x))
    plain = keras.Model(x, keras.layers.Dense(2, activation="relu")(x))
    found = {
        name: is_whole("model.keras", model)
        for name, model in {
            "layer": with_layer, "function": with_function, "nested": nested, "plain": plain,
        }.items()
    }  # fmt: skip
    assert found == {"layer": False, "function": False, "nested": False, "plain": True}


def test_a_model_object_is_known_by_its_content(run: Run, own: Path) -> None:
    """An archive of it that is saved anew has other bytes: Keras writes the time into it."""
    import keras

    model = keras.saving.load_model(own)
    opened, results = run(model)
    assert opened
    assert run(model) == (False, results)


def test_its_size_is_bounded_and_the_least_recently_used_go_first(
    run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    kept = list(cache.iterdir())
    size = sum(path.stat().st_size for path in kept)
    monkeypatch.setenv("EDGEKIT_CACHE_GIB", str(2.5 * size / 2**30))
    old, unused = cache / "old.outputs", cache / "unused.outputs"
    for time, path in enumerate((old, *kept, unused)):
        if path not in kept:
            path.write_bytes(bytes(size))
        os.utime(path, (time, time))
    (cache / "killed.unfinished").write_bytes(b"left by a run that was killed")

    assert not run()[0]  # takes what is there, and so uses it
    assert run(samples=90)[0]

    assert all(path.exists() for path in kept)
    assert [path.exists() for path in (old, unused)] == [False, False]
    assert not (cache / "killed.unfinished").exists()
    assert sum(path.stat().st_size for path in cache.iterdir()) <= 2.5 * size


def test_two_runs_at_once_do_not_harm_each_other(run: Run) -> None:
    with ThreadPoolExecutor(2) as pool:
        (_, first), (_, second) = pool.map(lambda _: run(), range(2))

    assert first == second
    assert run() == (False, first)


def test_a_cache_that_cannot_be_written_is_done_without(run: Run, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")

    assert run()[0]
