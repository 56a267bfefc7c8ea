"""A server of ``edgekit serve`` as it is seen from outside: by ``/metrics`` and ``/monitor``."""

import json
import ssl
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from edgekit.watch.documents import shadow_of, tensors_of
from edgekit.watch.state import STAGES, ModelState, StageTime, State, WatchError

_SECONDS = 10.0
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What the server said at one time."""

    at: float
    samples: Mapping[str, list[tuple[Mapping[str, str], float]]]
    """By metric: labels and value."""
    monitor: Mapping[Labels, Mapping[str, Any]]
    """By model and version."""


@dataclass(slots=True)
class Server:
    """A server, looked at again and again."""

    url: str
    token: str | None = None
    certificate: Path | None = None
    """That the server's is signed by, where that is none of the system's."""
    _before: Look | None = None

    def state(self) -> State:
        """What it says now, and what has changed since it was last asked.

        Raises:
            WatchError: it does not answer, or is no server of edgekit's.
        """
        look = self._look()
        before, self._before = self._before, look
        models = tuple(_models(look, before))
        return State(
            self.url,
            datetime.now(UTC).isoformat(timespec="seconds"),
            None if before is None else look.at - before.at,
            models,
            _whole(_sum(look, "edgekit_worker_memory_bytes", {})),
        )

    def _look(self) -> Look:
        from prometheus_client.parser import text_string_to_metric_families

        text = self._get("/metrics").decode(errors="replace")
        samples: dict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    samples[sample.name].append((sample.labels, sample.value))
            content = json.loads(self._get("/monitor"))
            monitor: dict[Labels, Mapping[str, Any]] = {
                (m["model"], m["version"]): m for m in content["models"]
            }
        except (ValueError, KeyError, TypeError) as error:
            raise WatchError(
                f"{self.url}: no server of edgekit's: what it answers to /metrics and /monitor is not theirs."
            ) from error
        if "edgekit_model_info" not in samples:
            raise WatchError(f"{self.url}: no server of edgekit's: it has no edgekit_model_info.")
        return Look(monotonic(), samples, monitor)

    def _get(self, path: str) -> bytes:
        request = Request(self.url.rstrip("/") + path)
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        context = None
        try:
            if self.certificate is not None:
                context = ssl.create_default_context(cafile=str(self.certificate))
            with urlopen(request, timeout=_SECONDS, context=context) as reply:
                found: bytes = reply.read()
                return found
        except HTTPError as error:
            raise WatchError(
                f"{self.url}{path}: {_REASONS.get(error.code, error.reason)}"
            ) from error
        except (URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WatchError(f"{self.url}: does not answer: {reason}.") from error


_REASONS = {
    401: "it wants a token: --token-file FILE, with the one that the server was given.",
    404: "there is no such address: is it a server of edgekit's, and not an older one?",
}


def _models(look: Look, before: Look | None) -> Iterator[ModelState]:
    for labels, value in look.samples["edgekit_model_info"]:
        if value != 1:
            continue
        named = {"model": labels["model"], "version": labels["version"]}
        told = look.monitor.get((named["model"], named["version"]), {})
        requests = _by_status(look, named)
        yield ModelState(
            **named,
            file=labels.get("file", ""),
            device=labels.get("device", ""),
            sha256=labels.get("sha256", ""),
            requests=sum(requests.values()),
            errors=sum(n for status, n in requests.items() if status >= "5"),
            refused=sum(n for status, n in requests.items() if "4" <= status < "5"),
            per_second=_per_second(look, before, named),
            stages=tuple(_stages(look, before, named)),
            waiting=_whole(_sum(look, "edgekit_queue_requests", named)),
            batch=_batch(look, before, named),
            restarts=_whole(_sum(look, "edgekit_model_restarts_total", {"model": named["model"]}))
            or 0,
            bytes=_whole(_sum(look, "edgekit_model_memory_bytes", named)),
            tensors=tensors_of(told),
            statements=tuple(map(str, told.get("statements") or ())),
            shadow=shadow_of(told),
        )


def _by_status(look: Look, named: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for labels, value in _of(look, "edgekit_requests_total", named):
        found[labels["status"]] += round(value)
    return found


def _per_second(look: Look, before: Look | None, named: Mapping[str, str]) -> float | None:
    if before is None:
        return None
    came = _change(look, before, "edgekit_requests_total", named)
    return came / max(look.at - before.at, 1e-9)


def _batch(look: Look, before: Look | None, named: Mapping[str, str]) -> float | None:
    """Of late; where nothing came, since the server began."""
    for earlier in (before, None):
        calls = _change(look, earlier, "edgekit_batch_samples_count", named)
        if calls:
            return _change(look, earlier, "edgekit_batch_samples_sum", named) / calls
    return None


def _stages(look: Look, before: Look | None, named: Mapping[str, str]) -> Iterator[StageTime]:
    for stage in STAGES:
        of = {**named, "stage": stage}
        counts = _buckets(look, of)
        if before is not None:
            earlier = dict(_buckets(before, of))
            late = [(end, count - earlier.get(end, 0.0)) for end, count in counts]
            # A server that began again has counted less than before.
            if late and late[-1][1] > 0 and all(count >= 0 for _, count in late):
                counts = late
        if counts and counts[-1][1]:
            yield StageTime(stage, 1000 * quantile(counts, 0.5), 1000 * quantile(counts, 0.99))


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """A quantile of a histogram as Prometheus computes it: linear within the bucket that it falls into.

    Args:
        buckets: the upper end of each, and how many values lie below it; the last end is infinite.
        share: from 0 to 1.

    >>> quantile([(1.0, 50.0), (2.0, 100.0), (float("inf"), 100.0)], 0.75)
    1.5
    """
    wanted = share * buckets[-1][1]
    low = counted = 0.0
    for end, count in buckets:
        if count >= wanted and count > counted:
            if end == float("inf"):
                return low
            return low + (end - low) * (wanted - counted) / (count - counted)
        low, counted = end, count
    return low


def _buckets(look: Look, named: Mapping[str, str]) -> list[tuple[float, float]]:
    found: dict[float, float] = defaultdict(float)
    for labels, value in _of(look, "edgekit_request_seconds_bucket", named):
        found[float(labels["le"])] += value
    return sorted(found.items())


def _change(look: Look, before: Look | None, metric: str, named: Mapping[str, str]) -> float:
    """How much a counter grew; all of it where the server began again meanwhile."""
    now = _sum(look, metric, named) or 0.0
    was = 0.0 if before is None else _sum(before, metric, named) or 0.0
    return now - was if now >= was else now


def _sum(look: Look, metric: str, named: Mapping[str, str]) -> float | None:
    values = [value for _, value in _of(look, metric, named)]
    return sum(values) if values else None


def _of(
    look: Look, metric: str, named: Mapping[str, str]
) -> Iterable[tuple[Mapping[str, str], float]]:
    return (
        (labels, value)
        for labels, value in look.samples.get(metric, ())
        if all(labels.get(key) == wanted for key, wanted in named.items())
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
