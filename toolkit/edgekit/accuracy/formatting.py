"""Figures and limits as a page says them."""

from math import isfinite, isinf, isnan

from edgekit.accuracy.limits import Limit
from edgekit.accuracy.metrics import find_metric

_NAMES = {
    "top1": "accuracy",
    "top5": "top 5",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "mean_iou": "mean IoU",
    "mse": "MSE",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R2",
    "agreement": "same answers",
    "sqnr": "SQNR",
    "kl": "KL divergence",
    "max_error": "max error",
}


def metric(name: str) -> str:
    """A metric's name as people write it."""
    return _NAMES.get(name, name)


def figure(value: float | None, metric: str) -> str:
    """A metric's value as a person says it."""
    if value is None:
        return ""
    if metric == "sqnr":
        return f"{decibel(value)} dB" if isfinite(value) else decibel(value)
    return percent(value) if find_metric(metric).share else f"{value:.4g}"


def held(value: float, limit: Limit) -> str:
    """A drop or a value as it is held against a limit."""
    if not isfinite(value):
        return "not a number" if isnan(value) else f"{value}"
    if limit.kind != "drop":
        return figure(value, limit.metric or "")
    if limit.relative:
        return percent(value)
    return f"{100 * value:.3g}" if find_metric(limit.metric or "").share else f"{value:.4g}"


def tick(value: float, limit: Limit) -> str:
    """The same, as short as it goes."""
    share = find_metric(limit.metric or "").share
    if limit.relative or (share and limit.kind != "drop"):
        return f"{100 * value:.6g}%"
    return f"{100 * value if share else value:.6g}"


def limit_in_words(limit: Limit) -> str:
    """What is drawn, in words."""
    name = metric(limit.metric or "")
    if limit.kind == "min":
        return f"{name}, must reach the limit"
    if limit.kind == "max":
        return f"{name}, must stay below the limit"
    found = find_metric(limit.metric or "")
    unit = ", part of the original's" if limit.relative else ", points" if found.share else ""
    return f"{name} {'lost' if found.higher_is_better else 'risen by'}{unit}"


def percent(share: float | None) -> str:
    """A share; nothing where there is none."""
    text = "" if share is None else f"{share:.1%}"
    return "0.0%" if text == "-0.0%" else text


def decibel(value: float | None) -> str:
    """A ratio of signal to noise, without its unit."""
    if value is None:
        return "-"
    if isnan(value):
        return "not a number"
    return "equal" if isinf(value) and value > 0 else f"{value:.1f}"


def short(count: int) -> str:
    """A count in at most four letters, as 1.2k."""
    for unit, of in (("", 1), ("k", 1_000), ("M", 1_000_000)):
        if count < 999.5 * of:
            return f"{count / of:.3g}{unit}"
    return f"{count / 1e9:.3g}G"
