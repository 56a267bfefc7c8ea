"""The JSON of ``/monitor``: what all workers have seen of each model that is served."""

import json
from collections.abc import Iterable

from edgekit.bundle.plain import to_plain
from edgekit.serving.models import Models
from edgekit.serving.watching import Report


def monitor_document(reports: Iterable[Report], models: Models) -> bytes:
    """Write it; what is not finite is ``null``.

    Args:
        reports: what the workers have seen.
        models: that are served: of files that have been replaced nothing is told.
    """
    found = {(r.model, r.version, r.key.identity): r for r in reports}
    entries = []
    for served in models:
        opened = served.runner.opened
        key = served.name, served.version, opened.identity
        report = found.get(key)
        if report is not None:
            entries.append({**to_plain(report.to_dict()), "device": opened.device})
    return json.dumps({"models": entries}, allow_nan=False).encode()
