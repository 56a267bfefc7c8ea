"""A report as one page that needs nothing else: no network, no script, no font."""

import base64
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgekit.accuracy import formatting
from edgekit.bundle.atomic import replacing
from edgekit.report import page_content
from edgekit.report.box_chart import place_boxes
from edgekit.report.columns import (
    confidence_interval,
    latency,
    latency_unit,
    same_predictions,
    size,
)
from edgekit.report.overview_chart import overviews
from edgekit.report.page_content import Section
from edgekit.report.rendering import rendered
from edgekit.report.result import Report
from edgekit.report.search_chart import drop_text, frontiers
from edgekit.report.thumbnails import size_of

_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]{32,}={0,2}")


@dataclass(frozen=True, slots=True)
class _Picture:
    """A sample as an image, with its size in pixels."""

    uri: str
    width: int
    height: int
    sample: tuple[int, int]
    """The width and height of the sample, which boxes in pixels refer to."""


def write_page(report: Report, path: Path) -> None:
    """Write a report as an HTML page; the same report always gives the same bytes.

    Args:
        report: of ``validate`` or ``convert``.
        path: the file, put in place when it is complete.

    Raises:
        RuntimeMissing: jinja2 is not installed.
    """
    text = _page(report)
    with replacing(path) as unfinished:  # a file's name may contain bytes that are no text
        unfinished.write_text(text, encoding="utf-8", errors="replace")


def _page(report: Report) -> str:
    filters: dict[str, Callable[..., str]] = {
        "bytes": size,
        "db": formatting.decibel,
        "value": formatting.value,
        "interval": confidence_interval,
        "limit_value": formatting.observed,
        "axis_title": formatting.axis_title,
        "drop_text": drop_text,
        "label": formatting.label,
        "latency": latency,
        "percent": formatting.percent,
        "place": lambda percent: f"{percent:.2f}".rstrip("0").rstrip("."),
        "range": lambda ends: "" if ends is None else "..".join(f"{end:.3g}" for end in ends),
        "sentence": _sentence,
        "short": formatting.short,
        "tick": formatting.tick,
    }
    sections = list(page_content.sections(report))
    return rendered(
        "page.html.j2",
        filters,
        report=report,
        titles=report.titles,
        latency_unit=latency_unit(report.files),
        same_predictions=same_predictions(report.files),
        floats={f.format: f.bytes for f in report.files if f.precision == "float32"},
        largest=max([report.model_bytes, *(f.bytes for f in report.files)]),
        reasons=page_content.reasons(report) if report.shippable else [],
        causes=page_content.causes(report) if report.shippable else [],
        panels=list(page_content.panels(report)) if report.shippable else [],
        overviews=overviews(report.files) if report.shippable else (),
        searched=frontiers(report.search) if report.search else (),
        sections=sections,
        warnings=report.all_warnings,
        pictures=_pictures(report, sections),
        place_boxes=place_boxes,
    )


def _sentence(text: str) -> str:
    """Begin with a capital, unless the first word has one further on: mAP."""
    first = text.partition(" ")[0]
    return text if any(c.isupper() for c in first[1:]) else text[:1].upper() + text[1:]


def _pictures(report: Report, sections: Iterable[Section]) -> dict[int, _Picture]:
    """Images of the samples shown, each once; what is no PNG file is left out."""
    shown = {s.row for section in sections for output in section.outputs for s in output.worst}
    pictures = {}
    for row in sorted(shown & set(report.pictures)):
        uri = report.pictures[row]
        if _PNG.fullmatch(uri):
            png = base64.b64decode(uri.partition(",")[2])
            width, height = struct.unpack(">II", png[16:24])
            pictures[row] = _Picture(uri, width, height, size_of(png) or (width, height))
    return pictures
