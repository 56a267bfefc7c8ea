"""The JSON of ``/monitor``: what all workers have seen of each model that is served."""

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from edgekit.serving.models import Models
from edgekit.serving.watching import Report


def monitor_document(reports: Iterable[Report], models: Models) -> bytes:
    """Write it; what is not finite is ``null``.

    Args:
        reports: what the workers have seen.
        models: that are served: of files that have been replaced nothing is told.
    """
    found = {(r.model, r.version, r.sha256): r for r in reports}
    entries = []
    for served in models:
        opened = served.runner.opened
        key = served.name, served.version, opened.sha256
        report = found.get(key) or Report(
            served.name, served.version, opened.file, opened.sha256, None
        )
        entries.append({**report.to_dict(), "lines": report.lines()})
    return json.dumps(_finite({"models": entries}), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value
