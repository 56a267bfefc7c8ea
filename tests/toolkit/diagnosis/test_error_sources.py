"""Error sources: what cannot be attributed is not."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgekit.cli.main import main
from edgekit.data.store import ArrayWriter
from edgekit.diagnosis.error_sources import ErrorAttribution
from edgekit.inference.record import record
from edgekit_runtimes import open_model


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


@pytest.mark.parametrize(("turned", "is_fault"), [(0, False), (3, False), (20, True)])
def test_a_few_answers_that_turn_are_no_fault_of_the_runtime(
    turned: int, is_fault: bool, digits: Path, converted: Path, tmp_path: Path
) -> None:
    """Of 64 samples, as where two classes are nearly even; kernels that compute otherwise do so in more."""
    image = np.load(digits / "eval.npz")["image"][:64]
    writer = ArrayWriter(tmp_path / "samples")
    writer.add({"image": image})
    samples = writer.close()
    int8, float32 = converted / "model_int8.tflite", converted / "model_float32.tflite"
    with open_model(converted / "model_float32.onnx") as original:
        outputs = record(original, samples, tmp_path / "original")
        attribution = ErrorAttribution(original, outputs, samples, tmp_path, {int8: float32})
        with open_model(int8) as session:
            answers = session.run({"image": image})
    for array in answers.values():
        array[:turned] = np.roll(array[:turned], 1, axis=1)
    writer = ArrayWriter(tmp_path / "answers")
    writer.add(answers)
    sources, faults = attribution.of(int8, writer.close(), "cpu")

    assert sources.runtime_db is not None
    assert (sources.runtime_db < 20) == bool(turned)
    assert bool(faults) == is_fault
