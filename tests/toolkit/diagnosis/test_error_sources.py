"""Error sources: what cannot be attributed is not."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit.cli.main import main


@pytest.mark.parametrize("beside", [False, True])
def test_without_the_float32_file_an_error_is_not_the_runtimes(
    beside: bool, digits: Path, converted: Path, tmp_path: Path
) -> None:
    int8 = Path(shutil.copy(converted / "model_int8.tflite", tmp_path))
    files = [int8]
    if beside:
        files.append(Path(shutil.copy(converted / "model_float32.tflite", tmp_path)))
    page, original = tmp_path / "page.html", converted / "model_float32.onnx"
    result = CliRunner().invoke(
        main,
        ["validate", str(original), *map(str, files), "--data", str(digits / "eval.npz"),
         "--max-drop", "2%", "--html", str(page)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output

    printed, drawn = " ".join(result.output.split()), page.read_text()
    assert ("cannot be attributed" in printed) == (not beside)
    assert ("cannot be attributed" in drawn) == (not beside)
    assert ("% of the noise</span>" in drawn) == beside


def test_error_sources_say_what_is_missing() -> None:
    from edgekit.diagnosis.error_sources import ErrorSources
    from edgekit.report.charts import error_parts

    alone = ErrorSources(runtime_db=40.0)
    known = ErrorSources(conversion_db=120.0, quantization_db=38.0, runtime_db=40.0)
    assert [part.percent for part in error_parts(alone)] == [0, 0, 0]
    assert sum(part.percent for part in error_parts(known)) == pytest.approx(100)
    assert "float32 file" in alone.unattributed and not known.unattributed
