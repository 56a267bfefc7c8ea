"""Which metrics are reported of an output, by its task."""

from edgekit.accuracy.task_names import Task

_MANY_CLASSES = 20  # from which on top-5 accuracy is of interest
_WIDE = 16  # values, from which on a vector without labels is taken for an embedding
_SCORED: tuple[Task, ...] = ("classes", "sequence", "binary", "binary_logits")


def task_metrics(task: Task, shape: tuple[int, ...], labelled: bool) -> tuple[str, ...]:
    """Choose the metrics that are reported of an output; the first is limited by default.

    Args:
        task: the output's.
        shape: of a batch of outputs.
        labelled: whether there are labels that fit it.
    """
    if not labelled:
        if task == "values":
            return ("sqnr", "cosine") if len(shape) == 2 and shape[1] >= _WIDE else ("sqnr",)
        if task == "detection":
            return ("same_boxes",)
        return ("agreement", "kl") if task in _SCORED else ("agreement",)
    match task:
        case "values":
            return "r2", "rmse", "mae"
        case "detection":
            return "map", "map50"
        case "index":
            return ("top1", "mae") if shape[1:] in ((), (1,)) else ("top1", "exact")
        case "multilabel" | "multilabel_logits":
            if len(shape) > 2:
                return ("f1",)
            return "f1", "roc_auc", "average_precision"
        case "sequence":
            return "top1", "exact"
    if len(shape) > 2:
        return "mean_iou", "top1"
    if task != "classes":
        return "top1", "roc_auc", "f1"
    return ("top1", "top5") if shape[-1] >= _MANY_CLASSES else ("top1",)
