"""A model card of a converted folder: what was measured, as Markdown that model hubs read.

Its head is YAML as https://huggingface.co/docs/hub/model-cards describes it, written as JSON, which is
YAML too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.accuracy.formatting import label, value
from edgekit.bundle.atomic import replacing
from edgekit.bundle.manifest import Manifest, read_manifest
from edgekit.names import printable
from edgekit.report.columns import confidence_interval, size
from edgekit.report.markdown import escaped, measured, row, summary
from edgekit.report.result import Report
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.formats.compatibility import TITLES
from edgekit_runtimes.processing.image_input import ImageInput

_MOST_LABELS = 20


def write_card(report: Report, path: Path) -> None:
    """Write the card of the folder that a report is about.

    Args:
        report: of ``convert`` or ``tune``, whose folder is still there.
        path: the file, put in place when it is complete.

    Raises:
        ValueError: the report is of no folder.
        DataError: the folder's manifest is damaged.
    """
    manifest = read_manifest(Path(report.output)) if report.output else None
    if manifest is None:
        raise ValueError("a model card is of a folder that convert or tune wrote")
    lines = [*_head(report, manifest), *_body(report, manifest)]
    with replacing(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="replace")


def _head(report: Report, manifest: Manifest) -> Iterator[str]:
    formats = dict.fromkeys(entry.format for entry in manifest.files)
    tags = [*formats, *dict.fromkeys(entry.precision for entry in manifest.files), "edge"]
    head: dict[str, Any] = {"tags": tags}
    if manifest.license:
        head["license"] = manifest.license.lower()
    if report.shippable and (index := _index(report)):
        head["model-index"] = index
    yield "---"
    yield from (f"{key}: {json.dumps(what)}" for key, what in head.items())
    yield "---"


def _index(report: Report) -> list[dict[str, Any]]:
    """Every file's metrics, as the hub's leaderboards have them."""
    entries = []
    for file in report.files:
        results = [
            {
                "task": {"type": result.task, "name": result.output},
                "dataset": {"type": "private", "name": Path(report.data).name},
                "metrics": [
                    {"type": metric.metric, "name": label(metric.metric), "value": metric.value}
                    for metric in result.metrics
                    if metric.original is not None
                ],
            }
            for result in file.results
        ]
        results = [result for result in results if result["metrics"]]
        if results:
            entries.append({"name": Path(file.name).name, "results": results})
    return entries


def _body(report: Report, manifest: Manifest) -> Iterator[str]:
    source = manifest.model
    yield ""
    yield f"# {escaped(Path(source.name).stem)}"
    yield ""
    made = f"Files for edge devices, made from {escaped(Path(source.name).name)}"
    yield made + (f" (SHA-256 `{source.sha256}`)." if source.sha256 else ".")
    if not report.shippable:
        yield ""
        yield "**Not for shipping**: calibrated and evaluated on random numbers. No figure below is about accuracy."
    yield from _section("Files")
    yield row(("file", "precision", "size", "runs from", "SHA-256"))
    yield row((":--", ":--", "--:", ":--", ":--"))
    for entry in manifest.files:
        least = ", ".join(f"{TITLES[name]} {at}" for name, at in entry.least_versions.items())
        yield row(
            (escaped(entry.file), entry.precision, size(entry.bytes), least, f"`{entry.sha256}`")
        )
    yield from _section("Inputs and outputs")
    images = {image.input: image for image in manifest.preprocessing}
    for spec in manifest.files[0].inputs:
        yield f"- input {_end(spec)}{_image(images.get(spec.name))}"
    tasks = {entry.output: entry.task for entry in manifest.postprocessing}
    for spec in manifest.files[0].outputs:
        task = f": {tasks[spec.name]}" if spec.name in tasks else ""
        yield f"- output {_end(spec)}{task}"
    if manifest.labels:
        shown = ", ".join(map(escaped, manifest.labels[:_MOST_LABELS]))
        rest = len(manifest.labels) - _MOST_LABELS
        yield f"- classes: {shown}" + (f" and {rest:,} more" if rest > 0 else "")
    yield from _section("Accuracy")
    data = escaped(Path(report.data).name)
    yield (
        f"Calibrated on {report.calibrated_on:,} samples, evaluated on {report.evaluated_on:,} others, of {data}."
    )
    yield ""
    yield from summary(report)
    if report.shippable and (drops := list(_drops(report))):
        yield ""
        yield from drops
    yield from _section("How to run")
    yield "```python"
    yield "from edgekit_runtimes import open_model"
    yield ""
    yield f"with open_model({json.dumps(_preferred(report))}) as model:"
    yield "    y = model.run(x)"
    yield "```"
    yield from _section("To be known")
    yield f"- All figures are of {report.evaluated_on:,} samples and say nothing of other data."
    for remark in report.remarks():
        yield f"- {escaped(remark.text)}"
    if when := measured(report):
        yield ""
        yield f"<sub>{escaped(when)}</sub>"


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _end(spec: TensorSpec) -> str:
    shape = ", ".join("any" if n is None else str(n) for n in spec.shape)
    return f"`{printable(spec.name)}` ({shape}), {spec.dtype}"


def _image(image: ImageInput | None) -> str:
    """How an image becomes this input."""
    if image is None:
        return ""
    return (
        f": an image, {image.color_order}, resized to {image.width} x {image.height}, "
        f"pixels scaled as {image.scale}"
    )


def _drops(report: Report) -> Iterator[str]:
    """What each file loses, with its interval."""
    for file in report.files:
        for result in file.results:
            for metric in result.metrics:
                if metric.drop is not None and metric.interval is not None:
                    yield (
                        f"- {escaped(Path(file.name).name)}, {escaped(result.output)}: {label(metric.metric)} "
                        f"{value(metric.value, metric.metric)}, {escaped(confidence_interval(metric))} "
                        "(95% interval)"
                    )


def _preferred(report: Report) -> str:
    """The file to run: the smallest that does not fail."""
    whole = [file for file in report.files if file.verdict != "fail"] or list(report.files)
    return Path(min(whole, key=lambda file: file.bytes).name).name
