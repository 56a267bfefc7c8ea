"""What convert writes its report as: the page, JUnit XML, Markdown and the model card, of a real conversion."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner, Result
from support.once import once

from edgekit.cli.main import main
from edgekit.report.model_card import write_card


def edgekit(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def forms(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted folder, and its report in each form beside it."""

    def make(folder: Path) -> None:
        told = edgekit(
            "convert", digits / "cnn.keras", "--data", digits / "calib.npz", "-o", folder / "out",
            "--precision", "int8", "--samples", "50", "--license", "Apache-2.0",
            "--card", folder / "MODEL_CARD.md", "--html", folder / "page.html",
            "--markdown", folder / "summary.md", "--junit", folder / "junit.xml",
        )  # fmt: skip
        assert told.exit_code == 0, told.output

    return once(tmp_path_factory, "report-forms", make)


def head(card: Path) -> dict[str, object]:
    _, head, _ = card.read_text().split("---\n", 2)
    told: dict[str, object] = yaml.safe_load(head)
    return told


def test_every_form_is_written(forms: Path) -> None:
    assert "model_int8.onnx" in (forms / "page.html").read_text()
    assert "### edgekit: ✅ pass" in (forms / "summary.md").read_text()
    assert ElementTree.parse(forms / "junit.xml").getroot().attrib["failures"] == "0"


def test_the_head_of_the_card_is_what_model_hubs_read(forms: Path) -> None:
    told = head(forms / "MODEL_CARD.md")

    assert told["license"] == "apache-2.0"
    assert {"tflite", "onnx", "int8"} <= set(told["tags"])  # type: ignore[call-overload]
    for entry in told["model-index"]:  # type: ignore[attr-defined]
        (result,) = entry["results"]
        assert result["metrics"][0]["type"] == "top1"
        assert 0.9 < result["metrics"][0]["value"] <= 1


def test_the_card_says_what_was_measured_and_how_to_run(forms: Path) -> None:
    card = (forms / "MODEL_CARD.md").read_text()

    for said in ("| model\\_int8.tflite | int8 |", "drop \\[", "95% interval", "runs from"):
        assert said in card
    assert str(forms.parent) not in card, "where the files lay is nobody's business"
    block = card.split("```python\n")[1].split("```")[0]
    compile(block, "card", "exec")
    name = block.split('"')[1]
    assert (forms / "out" / name).exists()


def test_a_card_of_no_folder_is_refused(digits: Path, forms: Path, tmp_path: Path) -> None:
    told = edgekit(
        "validate", digits / "cnn.keras", forms / "out", "--data", digits / "eval.npz",
        "--card", tmp_path / "card.md",
    )  # fmt: skip

    assert told.exit_code == 2
    assert "No such option" in told.output


def test_random_data_make_no_claim(digits: Path, tmp_path: Path) -> None:
    edgekit(
        "convert", digits / "cnn.keras", "--data", "random", "-o", tmp_path / "out",
        "--to", "tflite", "--samples", "8", "--card", tmp_path / "card.md",
    )  # fmt: skip

    assert "model-index" not in head(tmp_path / "card.md")
    assert "Not for shipping" in (tmp_path / "card.md").read_text()
    with pytest.raises(ValueError, match="of a folder"):
        write_card(_without_folder(), tmp_path / "none.md")


def _without_folder() -> object:
    from edgekit.report.result import Report

    return Report("model", 1, (), "data", 0, 1)
