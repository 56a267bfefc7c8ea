"""What a pull request shows: the summary in Markdown, and GitHub's annotations."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.recordings import judged, predicting

import edgekit
from edgekit.cli.main import main
from edgekit.report.annotations import annotations
from edgekit.report.markdown import write_markdown
from edgekit.report.result import Report

LABELS = np.arange(600) % 3
WRONG = np.where(np.arange(600) < 90, (LABELS + 1) % 3, LABELS)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """A file that passes, and two that fail alike."""
    right, wrong = predicting(LABELS, 3), predicting(WRONG, 3)
    files = {"good.tflite": right, "bad.tflite": wrong, "a|b_*<i>@me.tflite": wrong}
    return judged(tmp_path / "made", right, files, LABELS)


def written(report: Report, folder: Path) -> list[str]:
    path = folder / "new" / "summary.md"
    write_markdown(report, path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path.read_text(encoding="utf-8").splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_summary_is_the_table_of_the_console(report: Report, tmp_path: Path) -> None:
    lines = written(report, tmp_path)
    table = [cells(line) for line in lines if line.startswith("|")]

    assert lines[0] == "### edgekit: ❌ fail"
    assert table[0] == [column.title for column in report.columns()]
    assert len(table) == 3 + len(report.files)
    assert {len(row) for row in table} == {len(report.columns())}
    assert [row[-1] for row in table[3:]] == ["✅ pass", "❌ fail", "❌ fail"]
    assert table[4][2] == "85.0%"
    said = [line for line in lines if line.startswith("- fail: ")]
    assert len(said) == 1, "a reason that two files share is given once"
    assert "commit 1234567890ab-dirty" in lines[-1]
    assert "2026-05-04" in lines[-1]


def test_names_are_text(report: Report, tmp_path: Path) -> None:
    text = "\n".join(written(report, tmp_path))

    assert r"a\|b\_\*\<i>@" + "\u200bme.tflite" in text
    assert not re.search(r"(?<!\\)<i>", text)
    assert "@me" not in text


def lines_of(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if match := re.fullmatch(r"::(error|warning) title=[^:,]*::(.+)", line):
            yield match[1], match[2]


def test_annotations_are_errors_where_the_run_fails(report: Report) -> None:
    (found,) = annotations(report)

    assert found.startswith("::error title=edgekit%3A model.keras::fail: bad.tflite, a|b")
    assert "85.0%25" in found, "GitHub reads a percent sign as the start of a code"
    assert "\n" not in found


def test_what_is_inconclusive_is_a_warning_unless_strict(tmp_path: Path) -> None:
    right = predicting(LABELS[:60], 3)
    one = predicting(np.where(np.arange(60) < 1, 1, LABELS[:60]), 3)
    report = judged(tmp_path / "made", right, {"few.tflite": one}, LABELS[:60])
    report = replace(report, warnings=("two\nlines",))

    levels = [line.partition(" ")[0] for line in annotations(report)]
    assert levels == ["::warning", "::warning"]
    assert next(iter(annotations(report, strict=True))).startswith("::error ")
    assert "two%0Alines" in list(annotations(report))[1]


def test_random_samples_make_no_errors(report: Report) -> None:
    assert list(annotations(replace(report, shippable=False))) == []


@pytest.fixture(scope="module")
def failing(digits: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saved outputs whose int8 file fails by a limit that nothing keeps."""
    path = tmp_path_factory.mktemp("saved") / "results.npz"
    edgekit.validate(
        converted / "model_float32.onnx", converted / "model_int8.onnx", digits / "eval.npz",
        samples=100, save=path, per_layer=False,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("server", ["true", ""])
def test_validate_annotates_on_github_alone_and_writes_the_summary(
    server: str, failing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", server)
    summary = tmp_path / "summary.md"
    result = CliRunner().invoke(
        main,
        ["validate", "--from", str(failing), "--min", "top1=0.9999", "--json",
         "--markdown", str(summary)],
    )  # fmt: skip

    assert result.exit_code == 1, result.output
    assert "::error" not in result.stdout, "it is JSON"
    assert [level for level, _ in lines_of(result.stderr)] == (["error"] if server else [])
    assert summary.read_text(encoding="utf-8").startswith("### edgekit: ❌ fail")
