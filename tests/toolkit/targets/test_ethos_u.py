"""The targets ``ethos-u*``: files compiled by Vela itself. Nothing executes them: no such chip is at hand."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import edgekit
from edgekit.cli.main import main
from edgekit_converters import ConversionError
from edgekit_converters.targets.compiled import operators_of
from edgekit_converters.targets.inspection import TargetError
from edgekit_converters.targets.vela import ETHOS_U, compile_for_ethos_u

pytest.importorskip("ethosu", reason="Vela is not installed")


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def recurrent(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM of digits, with a loop in the one file and an operator in the other."""
    folder = tmp_path_factory.mktemp("recurrent") / "out"
    edgekit.convert(
        digits / "lstm.keras", digits / "rows.npz", folder, to=("tflite", "micro"), precision="int8"
    )
    return folder


def test_an_export_is_the_compiled_file_and_what_vela_says_of_it(
    integers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "npu"
    result = typed("export", integers, "--target", "ethos-u55-128", "-o", out)
    assert result.exit_code == 0, result.output
    assert "7 of 7 operators on the NPU" in result.output
    assert "(estimates)" in result.output
    assert "never executed on hardware" in result.output
    compiled = out / "model_int8_ethos-u55-128.tflite"
    assert [op.kind for op in operators_of(compiled)] == ["ethos-u"]
    told = json.loads((out / "placement.json").read_text())
    assert told["tested"] == "compiled, never executed on hardware"
    assert told["compiled_by"].keys() == {"ethos-u-vela"}
    (file,) = told["files"]
    assert [one["runs_on"] for one in file["placement"]] == ["NPU"] * 7
    figures = {figure["name"]: figure for figure in file["figures"]}
    assert figures["file"]["value"] == compiled.stat().st_size
    assert 10_000 < figures["cycles"]["value"] < 100_000
    assert "estimate" in figures["cycles"]["note"]
    assert sum(one["cycles"] or 0 for one in file["placement"]) == figures["cycles"]["value"]
    readme = (out / "README.md").read_text()
    assert "never executed" in readme
    assert "AddEthosU" in readme

    again = edgekit.export(integers, "ethos-u85-256", out)
    assert not compiled.exists()
    assert (out / "model_int8_ethos-u85-256.tflite").exists()
    assert "7 of 7" in again.facts[0]


def test_what_stays_on_the_cpu_is_told_with_reason_and_advice(converted: Path) -> None:
    file = converted / "model_int8.tflite"  # real ends
    result = typed("inspect", file, "--target", "ethos-u65-512")
    assert result.exit_code == 0, result.output
    assert "io='int8'" in result.output
    told = json.loads(typed("inspect", file, "--target", "ethos-u65-512", "--json").output)
    on_cpu = {one["kind"]: one["reason"] for one in told["operators"] if one["runs_on"] == "CPU"}
    assert on_cpu.keys() == {"QUANTIZE", "DEQUANTIZE"}
    assert all(on_cpu.values())
    assert told["placed"] == told["total"] - 2 == 7
    assert typed("inspect", file, "--target", "ethos-u65-512", "--strict").exit_code == 1


@pytest.mark.parametrize("chip", ["ethos-u55-128", "ethos-u85-512"])
def test_the_microcontroller_file_comes_first_and_all_of_its_lstm_is_on_the_npu(
    chip: str, recurrent: Path, tmp_path: Path
) -> None:
    exported = edgekit.export(recurrent, chip, tmp_path / "npu")

    assert exported.files == ("model_micro_int8.tflite",)
    told = json.loads((tmp_path / "npu" / "placement.json").read_text())
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in json.dumps(told)
    assert '"CPU"' not in json.dumps(told)


def test_real_ends_are_refused_with_what_to_type(converted: Path, tmp_path: Path) -> None:
    result = typed("export", converted, "--target", "ethos-u85-512", "-o", tmp_path / "npu")
    assert result.exit_code == 2
    assert "--io int8" in result.output
    assert not (tmp_path / "npu").exists()


def test_an_unknown_chip_names_the_nearest(integers: Path, tmp_path: Path) -> None:
    result = typed("export", integers, "--target", "ethos-u85-500", "-o", tmp_path / "npu")
    assert result.exit_code == 2
    assert "did you mean 'ethos-u85-512'?" in result.output


def test_a_damaged_file_leaves_nothing_behind(integers: Path, tmp_path: Path) -> None:
    content = bytearray((integers / "model_int8.tflite").read_bytes())
    damaged, target, scratch = (tmp_path / name for name in ("in.tflite", "out.tflite", "scratch"))
    damaged.write_bytes(content[: len(content) // 3])
    scratch.mkdir()
    with pytest.raises(TargetError, match=r"in\.tflite"):
        compile_for_ethos_u(damaged, target, "ethos-u55-128", scratch=scratch)
    assert not target.exists()


def test_a_compiler_that_does_not_end_is_killed(integers: Path, tmp_path: Path) -> None:
    target, scratch = tmp_path / "out.tflite", tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(ConversionError, match=r"did not end within 0\.01 seconds"):
        compile_for_ethos_u(
            integers / "model_int8.tflite", target, "ethos-u55-128", scratch=scratch, seconds=0.01
        )
    assert not target.exists()


@pytest.mark.slow
@pytest.mark.parametrize("chip", ETHOS_U)
def test_every_chip_takes_all_operators(chip: str, integers: Path, tmp_path: Path) -> None:
    target, scratch = tmp_path / "out.tflite", tmp_path / "scratch"
    scratch.mkdir()
    made = compile_for_ethos_u(integers / "model_int8.tflite", target, chip, scratch=scratch)
    assert made.inspection.placed == made.inspection.total == 7
