"""The committed baseline: each file's metric values, sample by sample, so that a drop can be proven.

For each output it keeps the rows of the task's own metric, packed. The same samples then and now are a
paired comparison, which detects a drop of a few samples that two plain percentages would hide.
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
from edgekit.bundle.schema import BASELINE, check_schema
from edgekit.data.samples import DataError
from edgekit.report.file_result import FileResult
from edgekit.report.result import Report

Entries = dict[str, dict[str, Any]]
"""By test and file, then by output: metric, value, samples, fingerprint and packed rows."""


def entries(test: str, report: Report) -> Entries:
    """Return what a baseline keeps of a test's report."""
    return {
        _key(test, file): {
            result.output: _entry(result, report.fingerprint) for result in file.results
        }
        for file in report.files
    }


def drops(test: str, report: Report, baseline: Entries) -> Iterator[str]:
    """Say which outputs dropped below the baseline by more than chance allows.

    Chance is the paired 95% interval of the drop. Drops under 0.1 percentage points, 1% of an error
    and 0.5 dB pass.
    """
    for file in report.files:
        for result in file.results:
            entry = baseline.get(_key(test, file), {}).get(result.output)
            if entry is not None and (reason := _drop(result, entry, report.fingerprint)):
                output = f" ({result.output})" if len(file.results) > 1 else ""
                yield f"{file.title}{output}: {reason}"


def is_known(test: str, report: Report, baseline: Entries) -> bool:
    """Whether the baseline has an entry for every file of the report."""
    return all(_key(test, file) in baseline for file in report.files)


def read_baseline(path: Path) -> Entries:
    """Read a baseline; empty where there is no file.

    Raises:
        DataError: the file is no baseline, or of another schema.
    """
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        check_schema(path, document["schema"], BASELINE, _UPDATE)
        files: Entries = document["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a baseline of edgekit. {_UPDATE}") from error
    return files


def write_baseline(path: Path, new: Mapping[str, dict[str, Any]]) -> None:
    """Add or replace entries in the file; the others stay."""
    document = {"schema": BASELINE, "files": dict(sorted({**read_baseline(path), **new}.items()))}
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


_UPDATE = "`pytest --edgekit-update` writes a new one."


def _key(test: str, file: FileResult) -> str:
    return f"{test} {Path(file.name).name}" + (f" on {file.device}" if file.device else "")


def _entry(result: OutputResult, fingerprint: str) -> dict[str, Any]:
    metric = result.metrics[0]
    assert result.per_sample is not None
    packed = zlib.compress(result.per_sample.astype("<f8").tobytes(), 9)
    return {
        "metric": metric.metric,
        "value": float(f"{metric.value:.6g}"),
        "samples": result.samples,
        "fingerprint": fingerprint,
        "columns": result.per_sample.shape[1],
        "rows": base64.b64encode(packed).decode(),
    }


def _drop(result: OutputResult, entry: Mapping[str, Any], fingerprint: str) -> str:
    """The reason why the output is worse than its baseline; empty where it is not."""
    name = result.metrics[0].metric
    assert result.per_sample is not None
    same = (name, result.samples, fingerprint)
    if (entry["metric"], entry["samples"], entry["fingerprint"]) != same:
        return (
            f"the samples are not those of the baseline ({entry['samples']} with {entry['metric']} then, "
            f"{result.samples} with {name} now). {_UPDATE}"
        )
    metric = find_metric(name, result.task)
    if metric.takes == "raw":
        return ""
    packed = zlib.decompress(base64.b64decode(entry["rows"]))
    baseline_rows = np.frombuffer(packed, "<f8").reshape(-1, entry["columns"])
    estimate = Estimate(name, metric, baseline_rows, result.per_sample)
    assert estimate.drop is not None
    low, high = estimate.drop_interval()
    negligible = 0.0 if estimate.changes else metric.unit.negligible_drop(estimate.original or 0.0)
    if low <= 0 or estimate.drop <= negligible:
        return ""
    return (
        f"{name} {'dropped' if metric.higher_is_better else 'rose'} from the baseline's "
        f"{formatting.value(estimate.original, name)} to {formatting.value(estimate.value, name)}: by "
        f"{formatting.difference(estimate.drop, name)}, 95% interval {formatting.difference(low, name)} "
        f"to {formatting.difference(high, name)}"
    )
