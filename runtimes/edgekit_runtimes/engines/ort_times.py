"""What each node of an ONNX file takes in ONNX Runtime, from profiles of the whole file."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.base import ModelError
from edgekit_runtimes.engines.captured_output import quiet
from edgekit_runtimes.engines.ort import (
    CPU_PROVIDER,
    input_specs,
    load_runtime,
    open_session,
    session_options,
    signed_weights_are_faster,
)
from edgekit_runtimes.engines.signed_weights import with_signed_weights
from edgekit_runtimes.formats.onnx_file import Node, read_graph
from edgekit_runtimes.subprocess_engine import Child, State

_BLOCK = 1e-3  # seconds of calls in a row
_FEWEST_ROUNDS = 5
_TIME = "_kernel_time"


@dataclass(frozen=True, slots=True)
class NodeTime:
    """A node as ONNX Runtime runs it, fused and laid out, and the seconds it takes in a call."""

    node: Node
    seconds: float


@dataclass(frozen=True, slots=True)
class FileTimes:
    """What a file takes in one call."""

    nodes: tuple[NodeTime, ...]
    """What profiling itself takes is taken from each, so that they add up to the whole."""

    seconds: float
    """Of the whole file, without profiling."""


def node_seconds(
    paths: Sequence[Path], *, threads: int = 1, seconds: float = 2.0
) -> list[FileTimes]:
    """Profile files as they are opened for use, side by side in a process of their own.

    Args:
        paths: ONNX files.
        threads: of one call.
        seconds: of measuring, all files together.

    Raises:
        RuntimeMissing: onnxruntime is not installed.
        ModelError: a file cannot be opened or run, or crashes.
    """
    child = Child(", ".join(map(str, paths)))
    try:
        times: list[FileTimes] = child.ask(_measure, list(paths), threads, seconds)
    finally:
        child.end()
    return times


class _Profiled:
    """A file, opened twice: as for use, and with profiling."""

    def __init__(self, path: Path, folder: Path, threads: int) -> None:
        runtime = load_runtime()
        changed = with_signed_weights(path) if signed_weights_are_faster() else None
        content = changed.content if changed else None
        self.path, self.optimized = path, folder / "optimized.onnx"
        options = session_options(runtime, threads, {})
        self.plain = open_session(runtime, path, options, content=content, providers=[CPU_PROVIDER])
        options = session_options(runtime, threads, {})
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "profile")
        options.optimized_model_filepath = str(self.optimized)
        self.profiled = open_session(
            runtime, path, options, content=content, providers=[CPU_PROVIDER]
        )
        self.given = random_inputs(input_specs(self.plain), {}, raw=True)
        self.blocks: list[float] = []
        self.calls = 1

    def call(self) -> None:
        """Run it some times without profiling, and with it."""
        try:
            self.plain.run(None, self.given)  # brings it back into the caches
            before = perf_counter()
            for _ in range(self.calls):
                self.plain.run(None, self.given)
            self.blocks.append((perf_counter() - before) / self.calls)
            self.calls = max(1, min(10, int(_BLOCK / min(self.blocks))))
            for _ in range(self.calls):
                self.profiled.run(None, self.given)
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{self.path}: ONNX Runtime cannot run it: {error}") from error

    def times(self) -> FileTimes:
        events = json.loads(Path(self.profiled.end_profiling()).read_text())
        return _file_times(
            read_graph(self.optimized).nodes, _durations(events), _quiet_mean(self.blocks)
        )


def _measure(state: State, paths: list[Path], threads: int, seconds: float) -> list[FileTimes]:  # noqa: ARG001
    with tempfile.TemporaryDirectory() as folder, quiet():
        opened = []
        for number, path in enumerate(paths):
            own = Path(folder) / str(number)
            own.mkdir()
            opened.append(_Profiled(path, own, threads))
        start = perf_counter()
        rounds = 0
        while rounds < _FEWEST_ROUNDS or perf_counter() - start < seconds:
            for one in opened:
                one.call()
            rounds += 1
        return [one.times() for one in opened]


def _durations(events: list[dict[str, Any]]) -> dict[str, tuple[str, float]]:
    """The kind of each node, and its middle seconds, by the name that the profile gives it."""
    found: dict[str, tuple[str, list[float]]] = defaultdict(lambda: ("", []))
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_TIME):
            name = event["name"].removesuffix(_TIME)
            found[name] = event["args"]["op_name"], [*found[name][1], 1e-6 * event["dur"]]
    return {name: (kind, _quiet_mean(times)) for name, (kind, times) in found.items()}


def _quiet_mean(times: list[float]) -> float:
    """The mean of the quicker times but the quickest: other load on the machine only adds to a time.

    A mean, for the profile's clock counts whole microseconds.
    """
    ordered = sorted(times)
    return mean(ordered[len(ordered) // 10 : max(1, len(ordered) * 4 // 10)])


def _file_times(
    nodes: tuple[Node, ...], durations: Mapping[str, tuple[str, float]], whole: float
) -> FileTimes:
    names = {node.name for node in nodes}
    nameless = defaultdict(list)  # the profile numbers them; both are in the order of the graph
    for name, (kind, time) in durations.items():
        if name not in names:
            nameless[kind].append(time)
    timed = []
    for node in nodes:
        if node.name in durations:
            timed.append((node, durations[node.name][1]))
        elif nameless[node.kind]:
            timed.append((node, nameless[node.kind].pop(0)))
    extra = _extra([time for _, time in timed], whole)
    return FileTimes(tuple(NodeTime(node, max(0.0, time - extra)) for node, time in timed), whole)


def _extra(times: list[float], whole: float) -> float:
    """What profiling adds to each node: what makes the rest add up to the whole file's time."""
    least, most = 0.0, max(times, default=0.0)
    for _ in range(40):
        middle = (least + most) / 2
        if sum(max(0.0, time - middle) for time in times) > whole:
            least = middle
        else:
            most = middle
    return most
