"""What is watched of the models, as Prometheus reads it: a few gauges for each model, however many callers there are."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgekit.serving.watching import Report

_NAMED = ("model", "version")


def add_watched(registry: CollectorRegistry, reports: Iterable[Report]) -> None:
    """Add what all workers together have seen to what a registry tells."""
    registry.register(_Collector(list(reports)))


class _Collector:
    def __init__(self, reports: list[Report]) -> None:
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for."""
        yield from _of_shadows(self._reports)
        yield from _of_tensors(self._reports)


def _of_shadows(reports: list[Report]) -> Iterator[Metric]:
    samples = CounterMetricFamily(
        "edgekit_shadow_samples",
        "Samples of requests that were the shadow's turn, by what became of them.",
        labels=(*_NAMED, "result"),
    )
    agreement = GaugeMetricFamily(
        "edgekit_shadow_agreement",
        "The shadow's outputs against the model's, and the ends of the 95% interval.",
        labels=(*_NAMED, "output", "metric", "bound"),
    )
    for report in reports:
        shadow, names = report.shadow, (report.model, report.version)
        if shadow is None:
            continue
        for result in ("compared", "dropped", "failed"):
            samples.add_metric((*names, result), getattr(shadow, result))
        for found in shadow.outputs:
            low, high = found.interval or (None, None)
            for bound, value in (("value", found.value), ("low", low), ("high", high)):
                if value is not None:
                    agreement.add_metric((*names, found.output, found.metric, bound), value)
    yield samples
    yield agreement


_TENSORS = {
    "outside": "Share of the values outside the calibrated range.",
    "psi": "Population stability index against the calibration data, beyond what chance gives.",
    "ks": "Kolmogorov distance from the calibration data.",
    "not_finite": "Share of the samples with values that are NaN or infinite.",
    "alarm": "1 where an input or output no longer looks as it did at calibration.",
}
_MOST_TENSORS = 64
"""Of a model, that have gauges: the inputs first."""


def _of_tensors(reports: list[Report]) -> Iterator[Metric]:
    for name, text, field in (
        ("samples", "Samples that the monitor looked at.", "samples"),
        ("alarms", "Times that a change began, in one of the workers.", "alarms_in_all"),
    ):
        counter = CounterMetricFamily(f"edgekit_monitor_{name}", text, labels=_NAMED)
        for report in reports:
            if report.monitor is not None:
                counter.add_metric((report.model, report.version), getattr(report.monitor, field))
        yield counter
    for name, text in _TENSORS.items():
        gauge = GaugeMetricFamily(f"edgekit_monitor_{name}", text, labels=(*_NAMED, "tensor"))
        for report in reports:
            for tensor in report.tensors[:_MOST_TENSORS]:
                value = getattr(tensor, name)
                if value is not None:
                    gauge.add_metric((report.model, report.version, tensor.name), float(value))
        yield gauge
