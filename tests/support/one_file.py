"""A converted folder with one of its files."""

import json
import shutil
from pathlib import Path


def one_file(converted: Path, folder: Path, file: str = "model_int8.tflite") -> Path:
    """A copy whose manifest lists one file, so that a server chooses that one on any machine."""
    shutil.copytree(converted, folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = [entry for entry in manifest["files"] if entry["file"] == file]
    path.write_text(json.dumps(manifest))
    return folder
