"""What is known of a model's inputs and outputs beside their shapes, from its samples and its answers."""

from collections.abc import Mapping
from typing import Any

from edgekit.accuracy.detection_outputs import DetectionOutputs, find_detection_outputs
from edgekit.accuracy.task_guess import are_probabilities
from edgekit.accuracy.task_names import Task
from edgekit.accuracy.tasks import find_tasks
from edgekit.data.samples import Array
from edgekit.data.split import SampleSplit
from edgekit.workflows.evaluate import Original
from edgekit_runtimes import TensorSpec
from edgekit_runtimes.processing.facts import Facts
from edgekit_runtimes.processing.image_input import image_input
from edgekit_runtimes.processing.postprocessing import Kind, Postprocessing

_SHOWN = 5  # classes, those with the highest scores


def facts_of(original: Original, samples: SampleSplit, options: Mapping[str, Any]) -> Facts:
    """Find the facts of a model: its class names, what its images become, what its outputs mean.

    Args:
        original: the model, with its outputs.
        samples: their scale is known where they were images, or the caller said it.
        options: of ``convert`` or ``tune``.
    """
    scale = options["scale"] or samples.scale
    specs = [TensorSpec(n, (None, *s), "") for n, s in samples.held_out.shapes.items()]
    images = [image_input(spec, scale) for spec in specs] if scale else []
    return Facts(
        labels=tuple(options["labels"]) or samples.label_names,
        preprocessing=tuple(image for image in images if image is not None),
        postprocessing=_postprocessing(original, samples, options["task"]),
        license=options["license"],
    )


def _postprocessing(
    original: Original, samples: SampleSplit, task: tuple[str, ...]
) -> tuple[Postprocessing, ...]:
    recorded = original.recorded
    detections = find_detection_outputs(recorded, task)
    parts = _parts(detections) if detections else {}
    given = [text for text in task if text != "detection"] if detections else task
    labels = samples.labels
    if parts:  # those of the boxes are of none of their outputs alone
        by_output = labels.items() if isinstance(labels, Mapping) else ()
        labels = {name: array for name, array in by_output if name not in parts} or None
    tasks = find_tasks(recorded, labels, given)
    first = next(recorded.batches(256))
    return tuple(
        Postprocessing(name, "detection", part=parts[name])
        if name in parts
        else Postprocessing(
            name, tasks[name], _kind(tasks[name], first[name]), _top(tasks[name], first[name])
        )
        for name in recorded.shapes
    )


def _parts(outputs: DetectionOutputs) -> dict[str, str]:
    if outputs.in_one:
        return {outputs.boxes: "boxes and scores"}
    parts = {outputs.boxes: "boxes", outputs.scores: "scores", outputs.classes: "classes"}
    return parts | ({outputs.count: "count"} if outputs.count else {})


def _kind(task: Task, outputs: Array) -> Kind:
    """What is still to be done for probabilities."""
    if task in ("binary_logits", "multilabel_logits"):
        return "sigmoid"
    scores = task in ("classes", "sequence") and outputs.dtype.kind == "f"
    return "softmax" if scores and not are_probabilities(outputs) else "none"


def _top(task: Task, outputs: Array) -> int:
    return min(_SHOWN, outputs.shape[-1]) if task in ("classes", "sequence") else 0
