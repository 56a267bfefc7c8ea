"""Names and versions of the JSON documents that edgekit writes; the version changes when a key does."""

from pathlib import Path

from edgekit.data.samples import DataError

REPORT = "edgekit.report/1"
MANIFEST = "edgekit.manifest/1"
RESULTS = "edgekit.results/1"
BASELINE = "edgekit.baseline/1"
PREDICTIONS = "edgekit.predictions/1"
RECIPE = "edgekit.recipe/1"
DIFF = "edgekit.diff/1"
BISECTION = "edgekit.bisection/1"
BUNDLE = "edgekit.bundle/1"
EXPORT = "edgekit.export/1"
WATCH = "edgekit.watch/1"


def check_schema(path: Path, schema: object, expected: str, remedy: str) -> None:
    """Refuse a document of another kind or version.

    Args:
        path: the document's file, for the message.
        schema: the value of its key ``schema``.
        expected: the one that this edgekit reads.
        remedy: what to do about it, as a sentence.

    Raises:
        DataError: they differ.
    """
    if schema != expected:
        raise DataError(
            f"{path}: its schema is {schema!r}; this edgekit reads {expected!r}. {remedy}"
        )
