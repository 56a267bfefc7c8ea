"""Recordings of made-up outputs: a whole report without a model that runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.tasks import Labels
from edgekit.bundle.environment import Environment, Processor
from edgekit.report.result import Report
from edgekit.report.saved_outputs import RecordedFile, Recording
from edgekit.workflows.judge import judge
from support.outputs import stored

Array = npt.NDArray[Any]

MACHINE = Environment(
    date="2026-05-04T12:30:00+00:00",
    host="bench-7",
    system="Linux 6.1",
    processor=Processor("x86_64", "Fast Chip 9000", ("avx2", "avx512_vnni")),
    cores=4,
    threads=1,
    commit="1234567890ab-dirty",
    versions={"python": "3.11.9", "edgekit-toolkit": "0.1.0"},
)


def judged(
    folder: Path,
    original: Array,
    candidates: Mapping[str, Array],
    labels: Labels = None,
    *,
    files: Mapping[str, Mapping[str, Any]] | None = None,
    label_names: tuple[str, ...] = (),
    task: str = "",
    **limits: Any,
) -> Report:
    """The report of int8 files with these outputs; ``files`` adds to what is known of one."""
    recorded = tuple(
        RecordedFile(
            name=name,
            bytes=10_000 * at,
            format="tflite",
            precision="int8",
            device="",
            compared_as_float32=False,
            outputs=stored(folder / f"file {at}", {"y": outputs}),
            latency_ms=0.25 * at,
            **(files or {}).get(name, {}),
        )
        for at, (name, outputs) in enumerate(candidates.items(), 1)
    )
    recording = Recording(
        model="model.keras",
        model_bytes=100_000,
        original=stored(folder / "original", {"y": original}),
        files=recorded,
        labels=labels,
        numbers=tuple(range(len(original))),
        label_names=label_names,
        data="eval.npz",
        shippable=True,
        warnings=(),
        environment=MACHINE,
    )
    return judge(recording, read_limits(**limits), task=task)


def predicting(classes: Array, width: int) -> Array:
    """Probabilities whose highest is that of these classes."""
    return np.asarray(0.9 * np.eye(width)[classes] + 0.1 / width)
