"""The notebook, run by Jupyter's own client."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[2] / "samples/quickstart.ipynb"


def test_the_notebook_ships_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)

    nbformat.validate(notebook)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


@pytest.mark.slow
def test_the_notebook_runs_and_shows_the_report(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)

    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    shown = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output["output_type"] == "execute_result"
    ]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert any("model_int8.tflite" in table for table in tables)
    assert (tmp_path / "notebook-out/model_int8.onnx").exists()
