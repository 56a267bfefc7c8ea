"""inspect --costs: each operator in float32 and in int8."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgekit.cli.main import main


def edgekit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_each_operator_has_two_times_a_choice_and_a_reason(converted: Path, suffix: str) -> None:
    file = converted / f"model_int8.{suffix}"

    told = json.loads(edgekit("inspect", "--costs", file, "--json").stdout)

    assert told["counterpart"] == str(converted / f"model_float32.{suffix}")
    assert [row["kind"] for row in told["rows"]].count("CONV_2D") == 2
    for row in told["rows"]:
        assert row["choice"] in ("float32", "int8")
        assert row["why"]
        assert row["float_us"] >= 0
        assert row["int8_us"] >= 0
    assert told["best_us"] <= told["float_us"] + 1e-3
    assert told["float_us"] == pytest.approx(sum(row["float_us"] for row in told["rows"]))


@pytest.mark.parametrize("columns", [74, 120])
def test_the_table_fits_the_terminal_and_cuts_nothing_but_names(
    converted: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = edgekit("inspect", "--costs", converted / "model_int8.tflite").output

    told = json.loads(
        edgekit("inspect", "--costs", converted / "model_int8.tflite", "--json").stdout
    )
    lines = shown.splitlines()
    assert any("…" in line for line in lines) == (columns < 80)
    kinds = [line for line in lines if line.startswith(tuple(row["kind"] for row in told["rows"]))]
    assert len(kinds) == len(told["rows"])
    assert all(" float32 " in line or " int8 " in line for line in kinds)
    assert max(map(len, lines)) <= columns
    for word in ("float32", "int8", "choice", "why", "FULLY_CONNECTED", "all in float32"):
        assert word in shown
    (softmax,) = (line for line in lines if line.startswith("SOFTMAX"))
    assert softmax.split()[1] == "digit"


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_a_file_without_its_counterpart_has_its_own_times(
    converted: Path, tmp_path: Path, suffix: str
) -> None:
    file = Path(shutil.copy(converted / f"model_int8.{suffix}", tmp_path))

    result = edgekit("inspect", "--costs", file)
    told = json.loads(edgekit("inspect", "--costs", file, "--json").stdout)

    assert result.exit_code == 0
    assert "both are measured and compared" in result.output.replace("\n", " ")
    assert told["counterpart"] is None
    assert all(row["choice"] == "" and row["int8_us"] is None for row in told["rows"])
    assert sum(row["float_us"] for row in told["rows"]) > 0


def test_costs_are_those_of_the_processor(converted: Path) -> None:
    refused = edgekit("inspect", "--costs", converted / "model_int8.tflite", "--device", "gpu")

    assert refused.exit_code == 2
    assert "--device gpu" in refused.output


def test_costs_are_no_placement_to_be_strict_about(converted: Path) -> None:
    refused = edgekit("inspect", "--costs", "--strict", converted / "model_int8.tflite")

    assert refused.exit_code == 2
    assert "not with --strict" in refused.output
