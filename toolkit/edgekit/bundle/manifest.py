"""``manifest.json``: what whoever opens the folder later needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.bundle.folder import SCHEMA, sha256
from edgekit.data.images import Images
from edgekit.report.result import Report
from edgekit_runtimes import TensorSpec

Ends = Mapping[str, tuple[Sequence[TensorSpec], Sequence[TensorSpec]]]
"""The inputs and the outputs of each file, by its name."""


def manifest(
    report: Report,
    folder: Path,
    source: str,
    ends: Ends,
    ranges: Mapping[str, tuple[Any, Any]],
    *,
    batch: int,
    label_names: Sequence[str],
    images: Images | None,
) -> dict[str, Any]:
    """The manifest's content.

    Args:
        report: what the run found out.
        folder: where the files are now.
        source: the original; hashed where it is a path.
        ends: what each file takes and gives.
        ranges: the calibrated ranges, by tensor name.
        batch: the fixed batch size.
        label_names: the classes, in order.
        images: how image files became arrays.
    """
    plain = report.to_dict()
    files = []
    for file, entry in zip(report.files, plain["files"], strict=True):
        inputs, outputs = ends[file.name]
        files.append(
            {
                "file": file.name,
                "format": file.format,
                "precision": file.precision,
                "bytes": file.bytes,
                "sha256": sha256(folder / file.name),
                "inputs": [asdict(spec) for spec in inputs],
                "outputs": [asdict(spec) for spec in outputs],
                "results": entry["results"],
                "verdict": entry["verdict"],
                "latency_ms": entry["latency_ms"],
            }
        )
    path = Path(source)
    return {
        "schema": SCHEMA,
        "shippable": report.shippable,
        "model": {
            "source": report.model,
            "bytes": report.model_bytes,
            "sha256": sha256(path) if path.exists() else None,
        },
        "batch": batch,
        "labels": list(label_names),
        "images": asdict(images) if images else None,
        "files": files,
        "onnx_vs_tflite": plain["onnx_vs_tflite"],
        "ranges": {n: [float(low), float(high)] for n, (low, high) in ranges.items()},
        "calibrated_on": report.calibrated_on,
        "evaluated_on": report.evaluated_on,
        "notes": plain["notes"],
        "warnings": plain["warnings"],
        **plain["environment"],
    }
