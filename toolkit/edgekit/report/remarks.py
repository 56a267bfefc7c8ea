"""Sentences below a report's summary: why files do not pass, and how the two formats differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from typing import Literal

from edgekit.accuracy.results import OutputResult
from edgekit.report.file_result import FileResult, short_titles

Kind = Literal["fail", "inconclusive", "formats", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence, and what it is about."""

    kind: Kind
    text: str


def reasons(files: Sequence[FileResult]) -> Iterator[Remark]:
    """Say why files do not pass, failures first; files with the same reason share a sentence."""
    titles = short_titles(files)
    names: dict[tuple[Kind, str], list[str]] = {}
    for file in files:
        title = titles[file.title]
        for result in file.results:
            if result.reason and result.verdict != "pass":
                name = f"{title} ({result.output})" if len(file.results) > 1 else title
                names.setdefault((result.verdict, result.reason), []).append(name)
        for fault in file.faults:
            names.setdefault(("fail", fault), []).append(title)
    for (kind, reason), of_files in sorted(names.items(), key=lambda item: item[0][0] != "fail"):
        yield Remark(kind, f"{kind}: {', '.join(of_files)}: {reason}")


def format_differences(by_precision: Mapping[str, Sequence[OutputResult]]) -> Iterator[Remark]:
    """Say how the ONNX file's outputs differ from the TFLite file's, except in float32."""
    for precision, results in by_precision.items():
        if precision != "float32":
            yield Remark("formats", f"{precision}: {_difference(results)}")


def _difference(results: Sequence[OutputResult]) -> str:
    worst = min(results, key=lambda r: r.sqnr_db)
    if isinf(worst.sqnr_db) and worst.sqnr_db > 0:
        return f"ONNX and TFLite outputs are bit-identical on all {worst.samples:,} samples"
    agreements = [r.agreement for r in results if r.agreement is not None]
    same = f"same top-1 on {min(agreements):.1%} of the samples, " if agreements else ""
    return f"ONNX against TFLite: {same}SQNR {worst.sqnr_db:.1f} dB"
