"""JUnit XML, as build servers read it."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax

from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.results import OutputResult, compare
from edgekit.accuracy.tasks import find_tasks
from edgekit.bundle.environment import Environment, Processor
from edgekit.data.store import ArrayWriter, StoredArrays
from edgekit.report.file_result import FileResult
from edgekit.report.junit import write_junit
from edgekit.report.result import Report

Array = npt.NDArray[Any]
MACHINE = Environment(
    date="2026-05-04T12:30:00+00:00",
    host="bench-7",
    processor=Processor(name="A & B"),
    commit="1234567890ab",
    versions={"numpy": "2.3", "onnx": "1.2"},
)


def stored(folder: Path, **outputs: Array) -> StoredArrays:
    store = ArrayWriter(folder)
    store.add(outputs)
    return store.close()


def scored(
    lost: int, count: int, folder: Path, output: str = "digit", **limits: str
) -> OutputResult:
    """A classifier's file that loses so many of the samples."""
    labels = np.arange(count) % 3
    before = softmax(5 * np.eye(3)[labels], axis=-1)
    after = before.copy()
    after[:lost] = np.roll(before[:lost], 1, axis=-1)
    original, candidate = (
        stored(folder / str(i), **{output: x}) for i, x in enumerate((before, after))
    )
    tasks = find_tasks(original, labels)
    return compare(original, candidate, tasks, labels, read_limits(**limits))[0]


def report(*files: FileResult, **more: Any) -> Report:
    return Report(
        "model.keras", 1000, files, "eval.npz", 0, 300,
        environment=MACHINE,
        **more,
    )  # fmt: skip


def file(name: str, *scores: OutputResult, **more: Any) -> FileResult:
    return FileResult(name, 10, scores, "tflite", "int8", **more)


def read(written: Report, folder: Path, **options: bool) -> Element:
    path = folder / "junit.xml"
    write_junit(written, path, **options)
    return ElementTree.parse(path).getroot()


@pytest.fixture
def three(tmp_path: Path) -> Report:
    """A file of each verdict, and one with two limits."""
    return report(
        file("good.tflite", scored(0, 600, tmp_path / "1")),
        file("bad.tflite", scored(90, 600, tmp_path / "2")),
        file("few.tflite", scored(1, 60, tmp_path / "3")),
        file("two.tflite", scored(90, 600, tmp_path / "4", max_drop="50%", min="f1=99%")),
    )


@pytest.mark.parametrize(("strict", "failures", "skipped"), [(False, 2, 1), (True, 3, 0)])
def test_every_limit_is_a_case_and_counts_add_up(
    strict: bool, failures: int, skipped: int, three: Report, tmp_path: Path
) -> None:
    root = read(three, tmp_path, strict=strict)

    assert root.tag == "testsuites"
    assert root.attrib["tests"] == "5"
    assert (root.attrib["failures"], root.attrib["skipped"]) == (str(failures), str(skipped))
    suites = root.findall("testsuite")
    assert [s.attrib["name"] for s in suites] == [f.name for f in three.files]
    assert [s.attrib["tests"] for s in suites] == ["1", "1", "1", "2"]
    for suite in suites:
        for tag, total in (("testcase", "tests"), ("failure", "failures"), ("skipped", "skipped")):
            assert len(list(suite.iter(tag))) == int(suite.attrib[total])
        assert suite.attrib["errors"] == "0"
        for case in suite.findall("testcase"):
            assert {"classname", "name", "time"} <= set(case.attrib)
            assert len(case) <= 1


def test_a_failure_says_why(three: Report, tmp_path: Path) -> None:
    root = read(three, tmp_path)

    (failure,) = root.findall("testsuite[@name='bad.tflite']/testcase/failure")
    assert failure.attrib["type"] == "fail"
    assert failure.attrib["message"].startswith("accuracy 100.0% -> 85.0%: drop 15 pt (95% CI ")
    (skipped,) = root.findall("testsuite[@name='few.tflite']/testcase/skipped")
    assert skipped.attrib["message"].startswith("inconclusive: accuracy ")
    names = [c.attrib["name"] for c in root.findall("testsuite[@name='two.tflite']/testcase")]
    assert names == ["digit: drop top1=0.5", "digit: min f1=0.99"]


def test_inconclusive_is_a_failure_where_it_is_strict(three: Report, tmp_path: Path) -> None:
    root = read(three, tmp_path, strict=True)

    (failure,) = root.findall("testsuite[@name='few.tflite']/testcase/failure")
    assert failure.attrib["type"] == "inconclusive"
    assert not list(root.iter("skipped"))


def test_a_fault_of_the_runtime_is_a_case_that_failed(tmp_path: Path) -> None:
    root = read(
        report(file("a.onnx", scored(0, 600, tmp_path / "1"), faults=("it saturates",))), tmp_path
    )

    assert (root.attrib["tests"], root.attrib["failures"]) == ("2", "1")
    (case,) = root.findall("testsuite/testcase[failure]")
    assert case.attrib["name"] == "runtime"
    assert case[0].attrib["message"] == "it saturates"


def test_devices_and_outputs_are_told_apart(tmp_path: Path) -> None:
    scores = scored(0, 600, tmp_path / "1", "a"), scored(90, 600, tmp_path / "2", "b")
    root = read(
        report(file("m.tflite", *scores), file("m.tflite", *scores, device="openvino:CPU")),
        tmp_path,
    )

    names = [s.attrib["name"] for s in root.findall("testsuite")]
    assert names == ["m.tflite", "m.tflite on openvino:CPU"]
    cases = [c.attrib["name"] for c in root.findall("testsuite[1]/testcase")]
    assert [c.partition(":")[0] for c in cases] == ["a", "b"]


def test_figures_and_versions_are_properties(three: Report, tmp_path: Path) -> None:
    root = read(three, tmp_path)
    values = {
        p.attrib["name"]: p.attrib["value"]
        for p in root.findall("testsuite[@name='bad.tflite']/properties/property")
    }

    assert values["original"] == "model.keras"
    assert values["data"] == "300 samples from eval.npz"
    assert (values["version.numpy"], values["processor"]) == ("2.3", "A & B")
    assert values["commit"] == "1234567890ab"
    assert values["digit.top1"] == "0.85"
    assert float(values["digit.sqnr"]) > 0


@pytest.mark.parametrize(
    "name", ["a<b>&\"c'.tflite", "ü/模型.tflite", "tab\tand\nline.tflite", "bell\x07.tflite", "]]>"]
)
def test_any_name_is_well_formed_xml(name: str, tmp_path: Path) -> None:
    """XML has no way to write most control characters: they must not make the file unreadable."""
    root = read(report(file(name, scored(90, 600, tmp_path / "1", output="<&>"))), tmp_path)

    (suite,) = root.findall("testsuite")
    if "\x07" not in name:
        assert suite.attrib["name"].split() == name.split()
    (case,) = suite.findall("testcase")
    assert case.attrib["name"].startswith("<&>: drop")


def test_times_are_those_measured_and_add_up(tmp_path: Path) -> None:
    """Build servers add the cases up; the time of a run that several limits share is counted once."""
    scores = scored(0, 600, tmp_path / "1", max_drop="50%", min="f1=99%")
    root = read(
        report(
            file("a.tflite", scores, seconds=2.5, faults=("it saturates",)),
            file("b.tflite", scored(0, 600, tmp_path / "2"), seconds=0.75),
        ),
        tmp_path,
    )

    times = [[float(c.attrib["time"]) for c in s.findall("testcase")] for s in root]
    assert [len(t) for t in times] == [3, 1]
    assert [sum(t) for t in times] == pytest.approx([2.5, 0.75], abs=0.01)
    assert [s.attrib["time"] for s in (root, *root)] == ["3.250", "2.500", "0.750"]
    assert {s.attrib["timestamp"] for s in root} == {"2026-05-04T12:30:00"}
    assert {s.attrib["hostname"] for s in root} == {"bench-7"}


def test_it_is_written_at_once_into_a_new_folder(three: Report, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "junit.xml"
    write_junit(three, path)

    assert [p.name for p in path.parent.iterdir()] == ["junit.xml"]
    assert path.read_text(encoding="utf-8").startswith("<?xml version='1.0' encoding='utf-8'?>")
