"""Saved outputs: judged again without a model, by other limits, to the same figures."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.bundle.environment import Environment, Processor
from edgekit.data.samples import DataError
from edgekit.data.store import ArrayWriter
from edgekit.options.declared import LimitOptions
from edgekit.report.result import Report
from edgekit.report.saved_outputs import Recording, load_recording, save_recording
from edgekit.workflows.validate import validate_saved

KINDS = ("npz", "json")


@pytest.fixture(scope="module")
def saved(
    digits: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, Report]]:
    """The results of one validation, saved as either kind, and its report."""
    folder = tmp_path_factory.mktemp("saved")
    files = [converted / name for name in ("model_float32.tflite", "model_int8.onnx")]
    paths = {kind: folder / f"results.{kind}" for kind in KINDS}
    report = edgekit.validate(
        converted / "model_float32.onnx", files, digits / "eval.npz",
        samples=150, metrics=["f1"], per_layer=True, save=paths["npz"],
    )  # fmt: skip
    save_recording(load_recording(paths["npz"], folder / "read"), paths["json"])
    return {kind: (path, report) for kind, path in paths.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_is_the_same_as_when_the_models_ran(
    kind: str, saved: dict[str, tuple[Path, Report]]
) -> None:
    path, report = saved[kind]

    again = validate_saved(path, metrics=["f1"])

    assert again.to_dict() == report.to_dict()
    assert again.pictures == report.pictures
    assert again.pictures, "digits are pictures"
    assert [file.layers for file in again.files] == [file.layers for file in report.files]
    assert again.files[1].layers


def test_both_kinds_hold_the_same(saved: dict[str, tuple[Path, Report]], tmp_path: Path) -> None:
    first, second = (load_recording(saved[kind][0], tmp_path / kind) for kind in KINDS)

    assert first.numbers == second.numbers
    assert np.array_equal(first.labels, second.labels)  # type: ignore[arg-type]
    assert first.label_names == second.label_names
    for ours, theirs in [
        (first.original, second.original),
        *((a.outputs, b.outputs) for a, b in zip(first.files, second.files, strict=True)),
    ]:
        assert (ours.shapes, ours.dtypes, len(ours)) == (theirs.shapes, theirs.dtypes, len(theirs))
        for a, b in zip(ours.batches(64), theirs.batches(64), strict=True):
            assert all(np.array_equal(a[name], b[name]) for name in a)


def test_a_saved_archive_is_read_by_numpy_alone(saved: dict[str, tuple[Path, Report]]) -> None:
    """Whoever has no edgekit can look into it."""
    with np.load(saved["npz"][0]) as arrays:
        names = set(arrays.files)
        assert {"labels", "original/digit", "file 0/digit", "file 1/digit"} <= names
        assert arrays["original/digit"].shape == (150, 10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({}, "inconclusive"),  # 150 samples
        ({"max_drop": "5%"}, "pass"),
        ({"max_drop": "5%", "min": "top1=0.999"}, "fail"),
        ({"max_drop": "5%", "max": "max_error=1e-7"}, "fail"),
    ],
)
def test_other_limits_give_other_verdicts(
    kind: str, limits: LimitOptions, verdict: str, saved: dict[str, tuple[Path, Report]]
) -> None:
    report = validate_saved(saved[kind][0], **limits)

    assert report.verdict == verdict, str(report)


def test_other_metrics_can_be_asked_for_later(saved: dict[str, tuple[Path, Report]]) -> None:
    score = validate_saved(saved["npz"][0], metrics=["recall", "top3"]).files[1].results[0]

    assert {"recall", "top3"} <= {m.metric for m in score.metrics}
    with pytest.raises(DataError, match="rmse is for outputs that are values"):
        validate_saved(saved["npz"][0], metrics=["rmse"])


def test_judging_again_needs_neither_models_nor_data(
    saved: dict[str, tuple[Path, Report]], tmp_path: Path
) -> None:
    """In a process that imports no runtime, in a folder with nothing else in it."""
    import subprocess
    import sys

    path, report = saved["npz"]
    (tmp_path / "results.npz").write_bytes(path.read_bytes())
    code = (
        "import sys; from edgekit.workflows.validate import validate_saved as v; r = v('results.npz');"
        "print(r.verdict, sorted({'tensorflow', 'keras', 'onnxruntime', 'ai_edge_litert', 'onnx'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{report.verdict} []\n"


# Every kind of output and label.


def recording(folder: Path, **changes: Any) -> Recording:
    store = ArrayWriter(folder / "original")
    random = np.random.default_rng(0)
    store.add(
        {"a/b:0": random.random((7, 3)).astype(np.float32), "mask": random.random((7, 4, 4, 2)),
         "half": random.random((7, 1)).astype(np.float16), "whole": np.arange(7)[:, np.newaxis]}
    )  # fmt: skip
    plain = Recording(
        model="m.keras", model_bytes=5, original=store.close(), files=(), labels=None,
        numbers=tuple(range(7)), label_names=(), data="d.npz", shippable=True, warnings=(),
        environment=Environment(
            host="h", processor=Processor(instruction_sets=("a", "b")), versions={"numpy": "2"}
        ),
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "labels",
    [
        None,
        np.arange(7),
        np.arange(7, dtype=np.uint8)[:, np.newaxis],
        {"a/b:0": np.arange(7), "half": np.linspace(0, 1, 7, dtype=np.float32)},
    ],
    ids=["none", "numbers", "bytes", "by output"],
)
def test_what_is_loaded_is_what_was_saved(labels: Any, kind: str, tmp_path: Path) -> None:
    whole = recording(
        tmp_path / "made", labels=labels, label_names=("naïve", "b"), shippable=False,
        warnings=("one", "two"), pictures={3: "data:image/png;base64,AAAA"},
    )  # fmt: skip
    path = tmp_path / f"new/folder/results.{kind}"
    save_recording(whole, path)
    found = load_recording(path, tmp_path / "read")

    for name in ("model", "model_bytes", "numbers", "label_names", "data", "shippable", "warnings",
                 "environment", "pictures"):  # fmt: skip
        assert getattr(found, name) == getattr(whole, name), name
    assert found.original.shapes == whole.original.shapes
    assert found.original.dtypes == whole.original.dtypes
    (before,), (after,) = whole.original.batches(99), found.original.batches(99)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    if isinstance(labels, dict):
        assert isinstance(found.labels, dict)
        assert {n: (a.dtype, a.tolist()) for n, a in found.labels.items()} == {
            n: (a.dtype, a.tolist()) for n, a in labels.items()
        }
    elif labels is None:
        assert found.labels is None
    else:
        assert found.labels.dtype == labels.dtype  # type: ignore[union-attr]
        assert np.array_equal(found.labels, labels)  # type: ignore[arg-type]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_that_are_no_numbers_are_kept(kind: str, tmp_path: Path) -> None:
    store = ArrayWriter(tmp_path / "o")
    store.add({"y": np.array([[np.nan], [np.inf], [-np.inf], [1.5], [0], [0], [0]])})
    save_recording(recording(tmp_path / "made", original=store.close()), tmp_path / f"r.{kind}")
    (batch,) = load_recording(tmp_path / f"r.{kind}", tmp_path / "read").original.batches(9)

    np.testing.assert_array_equal(batch["y"].ravel(), [np.nan, np.inf, -np.inf, 1.5, 0, 0, 0])


# What is refused, and what a failure leaves.


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_there_is_told_with_what_writes_it(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no such file.*--save .*missing\.{kind}"):
        validate_saved(tmp_path / f"missing.{kind}")


@pytest.mark.parametrize("name", ["results.txt", "results", "results.pkl"])
def test_another_kind_of_file_is_refused_before_anything_runs(
    name: str, digits: Path, converted: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"{name}: results are saved as \.npz or \.json"):
        validate_saved(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: results are saved as \.npz or \.json"):
        edgekit.validate(
            converted / "model_float32.onnx",
            converted / "model_int8.onnx",
            digits / "eval.npz",
            save=tmp_path / name,
        )


def damaged(kind: str, flaw: str, whole: Path, target: Path) -> None:
    """One fault in a good file."""
    content = whole.read_bytes()
    if flaw == "empty":
        target.write_bytes(b"")
    elif flaw == "cut":
        target.write_bytes(content[: len(content) // 2])
    elif flaw == "bits":  # in the midst of the arrays
        middle = len(content) // 2
        garbage = bytes(b ^ 0x5A for b in content[middle : middle + 400])
        target.write_bytes(content[:middle] + garbage + content[middle + 400 :])
    elif kind == "json":
        note = json.loads(content)
        target.write_text(json.dumps(changed(note, flaw)))
    else:
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                if flaw == "an array missing" and name.startswith("original/"):
                    continue
                if flaw == "no note" and name == "document.json":
                    continue
                data = old.read(name)
                if name == "document.json":
                    data = json.dumps(changed(json.loads(data), flaw)).encode()
                new.writestr(name, data)


def changed(note: Any, flaw: str) -> Any:
    if flaw == "older schema":
        note["schema"] = "edgekit.results/0"
    elif flaw == "newer schema":
        note["schema"] = "edgekit.results/2"
    elif flaw == "a field missing":
        del note["numbers"]
    elif flaw == "a field more":
        note["other"] = 1
    elif flaw == "a field of another type":
        note["numbers"] = True
    elif flaw == "more samples than outputs":
        note["numbers"].append(1)
    elif flaw == "a list":
        return [note]
    elif flaw == "an array missing" and "arrays" in note:
        del note["arrays"]["original/digit"]
    elif flaw == "no note":
        return {"hello": "world"}
    return note


FLAWS = ("empty", "cut", "bits", "older schema", "newer schema", "a field missing", "a field more",
         "a field of another type", "more samples than outputs", "a list", "an array missing", "no note")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_a_damaged_or_foreign_file_is_refused_with_its_name(
    flaw: str, kind: str, saved: dict[str, tuple[Path, Report]], tmp_path: Path
) -> None:
    path = tmp_path / f"broken.{kind}"
    damaged(kind, flaw, saved[kind][0], path)

    with pytest.raises(DataError, match=rf"broken\.{kind}: ") as caught:
        validate_saved(path)
    if flaw.endswith("schema"):
        assert "--save` again" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_ones_own_are_no_results(kind: str, digits: Path, tmp_path: Path) -> None:
    path = tmp_path / f"eval.{kind}"
    path.write_bytes((digits / "eval.npz").read_bytes() if kind == "npz" else b'{"schema": "mine"}')
    with pytest.raises(DataError, match=rf"eval\.{kind}: "):
        validate_saved(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_while_saving_leaves_what_was_there(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"results.{kind}"
    path.write_bytes(b"precious")
    whole = recording(tmp_path / "made")
    (whole.original.folder / "1.raw").unlink()  # as if the disk had gone

    with pytest.raises(FileNotFoundError):
        save_recording(whole, path)

    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
