"""The committed baseline: what files were worth once, sample by sample, so that a fall can be proven.

For each output it keeps the rows of the task's own metric, packed. The same samples then and now are a
paired comparison, which sees a fall of a few samples that two plain percentages would hide.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.accuracy import formatting
from edgekit.accuracy.estimates import Estimate
from edgekit.accuracy.metrics import find_metric
from edgekit.accuracy.results import OutputResult
from edgekit.bundle.atomic import replacing
from edgekit.data.samples import DataError
from edgekit.report.result import FileResult, Report

SCHEMA = 1

Entries = dict[str, dict[str, Any]]
"""By test and file, then by output: metric, value, samples and packed rows."""


def entries(test: str, report: Report) -> Entries:
    """What a baseline keeps of a test's report."""
    return {
        _key(test, file): {
            score.output: _entry(score, report.fingerprint) for score in file.results
        }
        for file in report.files
    }


def falls(test: str, report: Report, baseline: Entries) -> Iterator[str]:
    """What fell below the baseline by more than chance allows, in words.

    Chance is the paired 95% interval of the drop; falls under a tenth of a point, a hundredth of an
    error and half a decibel are let pass.
    """
    for file in report.files:
        for score in file.results:
            then = baseline.get(_key(test, file), {}).get(score.output)
            if then is not None and (told := _fall(score, then, report.fingerprint)):
                output = f" ({score.output})" if len(file.results) > 1 else ""
                yield f"{file.title}{output}: {told}"


def is_known(test: str, report: Report, baseline: Entries) -> bool:
    """Whether the baseline has an entry for every file of the report."""
    return all(_key(test, file) in baseline for file in report.files)


def read_baseline(path: Path) -> Entries:
    """Reads the file; empty where there is none.

    Raises:
        DataError: it is no baseline.
    """
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise DataError(
                f"{path}: a baseline of schema {told['schema']}; this edgekit's is {SCHEMA}."
            )
        found: Entries = told["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: this is no baseline of edgekit. {_UPDATE}") from error
    return found


def write_baseline(path: Path, new: Mapping[str, dict[str, Any]]) -> None:
    """Puts entries into the file, and leaves the others as they are."""
    whole = {"schema": SCHEMA, "files": dict(sorted({**read_baseline(path), **new}.items()))}
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


_UPDATE = "`pytest --edgekit-update` writes a new one."


def _key(test: str, file: FileResult) -> str:
    return f"{test} {Path(file.name).name}" + (f" on {file.device}" if file.device else "")


def _entry(score: OutputResult, fingerprint: str) -> dict[str, Any]:
    own = score.metrics[0]
    assert score.per_sample is not None
    return {
        "metric": own.metric,
        "value": float(f"{own.value:.6g}"),
        "samples": score.samples,
        "of": fingerprint,
        "columns": score.per_sample.shape[1],
        "rows": base64.b64encode(
            zlib.compress(score.per_sample.astype("<f8").tobytes(), 9)
        ).decode(),
    }


def _fall(score: OutputResult, then: Mapping[str, Any], fingerprint: str) -> str:
    own = score.metrics[0]
    assert score.per_sample is not None
    if (then["metric"], then["samples"], then["of"]) != (own.metric, score.samples, fingerprint):
        return (
            f"the samples are not those of the baseline ({then['samples']} with {then['metric']} then, "
            f"{score.samples} with {own.metric} now). {_UPDATE}"
        )
    metric = find_metric(own.metric)
    if metric.takes == "raw":
        return ""
    packed = zlib.decompress(base64.b64decode(then["rows"]))
    before = np.frombuffer(packed, "<f8").reshape(-1, then["columns"])
    figure = Estimate(own.metric, metric, before, score.per_sample)
    assert figure.drop is not None
    low, high = figure.drop_interval()
    margin = 0.0 if figure.changes else metric.unit.negligible_drop(figure.original or 0.0)
    if low <= 0 or figure.drop <= margin:
        return ""

    def change(number: float) -> str:
        return formatting.difference(number, own.metric)

    return (
        f"{own.metric} {'fell' if metric.higher_is_better else 'rose'} from the baseline's "
        f"{formatting.value(figure.original, own.metric)} to {formatting.value(figure.value, own.metric)}: by "
        f"{change(figure.drop)}, 95% interval {change(low)} to {change(high)}"
    )
