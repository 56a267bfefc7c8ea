"""The script of docs/monitor.md, run as it stands beside a folder that ships."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.open import open_samples
from edgekit.data.split import set_aside
from edgekit_runtimes import DataChanged, TensorSpec

DOCS = (Path(__file__).parents[3] / "docs" / "monitor.md").read_text(encoding="utf-8")


def test_the_script_of_the_documentation(
    converted: Path,
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(converted, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with np.load(digits / "eval.npz") as data:
        np.savez("eval.npz", image=1.4 * data["image"][:100])
    script = re.findall(r"^```python\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)[0]
    with pytest.warns(DataChanged, match=r"brighter by [34]\d%"):
        exec(script, {})

    assert "inputs no longer look like the calibration data" in capsys.readouterr().out
    (kept,) = (tmp_path / "changed").glob("changed-*.npz")
    source = open_samples(kept, [TensorSpec("image", (None, 8, 8, 1), "float32")])
    split = set_aside(source, tmp_path / "split", calibration=8)
    assert split.calibration is not None and len(split.calibration) == 8
    assert len(split.held_out) == 17
