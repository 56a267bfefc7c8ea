"""What each operator of a model takes in float32 and in int8 in LiteRT on this machine.

Each is timed alone, as a file of its own, for LiteRT lays out no more than one operator at a time. What
they take adds up to nine tenths or more of what the whole file takes; the rest, which its caches cost, is
shared out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgekit.data.samples import Array
from edgekit.inference.assignment import GraphCosts, OperatorCost
from edgekit.inference.kept_costs import crossing_sizes, kept, tensor_costs
from edgekit.inference.paired_operators import pair_files
from edgekit_converters import ConversionError
from edgekit_converters.tflite import flatbuffer
from edgekit_converters.tflite.cut import crossing, cut
from edgekit_converters.tflite.integer_forms import Form
from edgekit_converters.tflite.interpreter import open_interpreter
from edgekit_runtimes.arrays import random_inputs
from edgekit_runtimes.engines.litert import spec
from edgekit_runtimes.engines.litert_times import SmallFile, call_seconds

_LEAST_US = 0.05  # what is measured below it is noise
_WHOLE = "the float32 file", "the int8 file"
_ORIGINAL = "the original float32 file"
_MOST_REST = 1.5  # times the sum of operators: above it, something else was measured
_VERSION = 1  # of how things are timed: counts in the key of what is kept


def litert_costs(
    float_file: Path,
    int8_file: Path,
    *,
    threads: int = 1,
    seconds: float = 3.0,
    original: Path | None = None,
    forms: Sequence[Form] = (),
) -> GraphCosts:
    """Time the operators of two TFLite files of one model, float32 and int8, and crossing.

    Kept for the next time, by what the operators are and by the machine: the model may be trained again.

    >>> costs = litert_costs(Path("out/model_float32.tflite"), Path("out/model_int8.tflite"), seconds=0.1)
    >>> [operator.kind for operator in costs.operators][:1]
    ['CONV_2D']

    Args:
        float_file: the float32 file.
        int8_file: the int8 file with the same operators, or with some of them rewritten.
        threads: of one call.
        seconds: of measuring.
        original: the graph that ``float_file`` was rewritten from, where it is ``Variants.job.integer_graph``.
        forms: how. In float the operators of a form take the time of its original ones, which a file has where
            the whole form stays in float: each its part of it.

    Raises:
        DataError: the files are not of one model.
    """
    pair = pair_files(float_file, int8_file)
    floats, integers = _alone(float_file, pair.floats), _alone(int8_file, pair.integers)
    first = flatbuffer.read(original) if original and forms else None
    before = _alone(original, first) if original and first else None
    sizes = crossing_sizes(pair.tensors)
    files = {**floats.files, **integers.files, _WHOLE[0]: floats.whole, _WHOLE[1]: integers.whole}
    if before is not None:
        files |= {**before.files, _ORIGINAL: before.whole}
    times = _times(files, sizes, threads, seconds)
    in_float, in_int8 = (
        _shared_out(floats, times, _WHOLE[0]),
        _shared_out(integers, times, _WHOLE[1]),
    )
    if before is not None:
        as_original = _shared_out(before, times, _ORIGINAL)
        in_float |= times_of_forms(
            forms, _by_name(pair.floats, in_float), _by_name(first, as_original)
        )
    operators = []
    for operator in pair.operators:
        parts = [in_int8.get(place) for place in operator.in_int8]
        known = [us for us in parts if us is not None]
        int8_us = sum(known) if len(known) == len(parts) else None
        float_us = in_float.get(operator.place)
        if operator.stays_float:  # a loop has integers inside; no recipe changes that
            float_us, int8_us = int8_us if int8_us is not None else float_us, None
        if float_us is None and int8_us is None:
            float_us = 0.0  # it runs in neither file alone: its time is no reason for either
        operators.append(OperatorCost(operator.name, operator.kind, float_us, int8_us))
    quantize, dequantize = (
        [times[f"{kind} {n}"] or 0.0 for n in sizes] for kind in ("quantize", "dequantize")
    )
    tensors = tensor_costs(pair.tensors, sizes, quantize, dequantize)
    return GraphCosts(operators, tensors, pair.ends)


def litert_times(file: Path, *, threads: int = 1, seconds: float = 2.0) -> GraphCosts:
    """Time the operators of one TFLite file, of whatever precision; all times are ``float_us``."""
    model = flatbuffer.read(file)
    main = model.subgraphs[0]
    alone = _alone(file, model)
    times = _times({**alone.files, _WHOLE[0]: alone.whole}, [], threads, seconds)
    found = _shared_out(alone, times, _WHOLE[0])
    operators = [
        OperatorCost(
            flatbuffer.name(main.tensors[operator.outputs[0]]) if len(operator.outputs) else "",
            flatbuffer.kind_name(model, operator),
            found.get(place),
            None,
        )
        for place, operator in enumerate(main.operators)
    ]
    return GraphCosts(operators, [])


@dataclass(frozen=True, slots=True)
class _Alone:
    """Operators of a file as files of their own; those that are alike share one."""

    keys: Mapping[int, str]
    """By their places; one that cannot be cut out is missing."""

    files: Mapping[str, SmallFile]
    whole: SmallFile


def _alone(path: Path, model: Any) -> _Alone:
    main, values = model.subgraphs[0], _values(path, model)
    keys: dict[int, str] = {}
    files: dict[str, SmallFile] = {}
    for place in range(len(main.operators)):
        try:
            content = cut(model, [place])
        except ConversionError:
            continue
        alone = flatbuffer.read_packed(content)
        keys[place] = key = _key(alone, content)
        if key not in files:
            graph = alone.subgraphs[0]
            given = [values.get(flatbuffer.name(graph.tensors[i])) for i in graph.inputs]
            files[key] = SmallFile(content, given, f"{path}: operator {place}")
    given = [values.get(flatbuffer.name(main.tensors[i])) for i in main.inputs]
    return _Alone(keys, files, SmallFile(path.read_bytes(), given, str(path)))


def _shared_out(
    alone: _Alone, times: Mapping[str, float | None], whole: str
) -> dict[int, float | None]:
    """Microseconds of each operator by its place, so that they add up to the whole file's.

    Alone, an operator finds its weights in the caches.
    """
    found = {place: times[key] for place, key in alone.keys.items()}
    together = sum(time or 0.0 for time in found.values())
    rest = (times[whole] or 0.0) / together if together else 1.0
    factor = min(max(rest, 1.0), _MOST_REST)
    return {place: None if time is None else time * factor for place, time in found.items()}


def _by_name(model: Any, times: Mapping[int, float | None]) -> dict[str, tuple[int, float]]:
    """The place and the time of each operator that has one, by the name of its first output."""
    main = model.subgraphs[0]
    return {
        flatbuffer.name(main.tensors[main.operators[place].outputs[0]]): (place, time)
        for place, time in times.items()
        if time is not None
    }


def times_of_forms(
    forms: Sequence[Form],
    made: Mapping[str, tuple[int, float]],
    original: Mapping[str, tuple[int, float]],
) -> dict[int, float | None]:
    """The times of forms' operators, by their places, so that they add up to those of the original ones.

    >>> times_of_forms([Form(("y",), ("a", "y"))], {"a": (3, 30.0), "y": (4, 10.0)}, {"y": (3, 20.0)})
    {3: 15.0, 4: 5.0}

    Args:
        forms: what was rewritten.
        made: the place and the time of each operator of the rewritten graph, by name.
        original: those of the graph before.
    """
    found: dict[int, float | None] = {}
    for form in forms:
        if not made.keys() >= set(form.made) or not original.keys() >= set(form.original):
            continue  # one could not be timed
        together = sum(made[name][1] for name in form.made)
        factor = sum(original[name][1] for name in form.original) / together
        found |= {made[name][0]: made[name][1] * factor for name in form.made}
    return found


def _values(path: Path, model: Any) -> dict[str, Array]:
    """Each computed tensor of a file by name, on random inputs: indices and shapes must make sense."""
    graph = model.subgraphs[0]
    read = {int(i) for operator in graph.operators for i in operator.inputs}
    interpreter = open_interpreter(path, threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    given = random_inputs([spec(detail) for detail in details], {}, raw=True)
    for detail in details:
        interpreter.set_tensor(detail["index"], given[detail["name"]])
    interpreter.invoke()
    made = {int(i) for operator in graph.operators for i in operator.outputs} | {*graph.inputs}
    return {
        flatbuffer.name(graph.tensors[index]): interpreter.get_tensor(index).copy()
        for index in sorted(made & read)
    }


def _key(alone: Any, content: bytes) -> str:
    """The same for operators that take as long: of one kind, with equal options and shapes."""
    if len(alone.subgraphs) > 1:  # a loop
        return sha256(content).hexdigest()
    graph = alone.subgraphs[0]
    facts: list[Any] = []
    for operator in graph.operators:
        options = vars(operator.builtinOptions) if operator.builtinOptions else {}
        custom = operator.customOptions
        facts += [
            flatbuffer.kind_name(alone, operator),
            sorted((name, str(value)) for name, value in options.items()),
            None if custom is None else bytes(custom).hex(),
            [int(i) for i in operator.inputs],
        ]
    for tensor in graph.tensors:
        value = flatbuffer.constant(alone, tensor)
        scales = tensor.quantization.scale if tensor.quantization else None
        few = value is not None and value.dtype.kind == "i" and tensor.type != flatbuffer.INT8
        facts += [
            flatbuffer.shape(tensor),
            tensor.type,
            value is not None,
            0 if scales is None else len(scales),
            value.tolist() if few and value is not None and value.size < 16 else None,
        ]
    return sha256(json.dumps(facts).encode()).hexdigest()


def _times(
    files: Mapping[str, SmallFile], sizes: Sequence[int], threads: int, seconds: float
) -> dict[str, float | None]:
    """Microseconds of each file by its key, and of crossings by what they are."""

    def measure() -> dict[str, float | None]:
        every = {**files, "base": SmallFile(crossing(1, to_int8=True), [])}
        for n in sizes:
            every[f"quantize {n}"] = SmallFile(crossing(n, to_int8=True), [])
            every[f"dequantize {n}"] = SmallFile(crossing(n, to_int8=False), [])
        measured = call_seconds(list(every.values()), threads=threads, seconds=seconds)
        found = dict(zip(every, measured, strict=True))
        base = found.pop("base") or 0.0  # what calling costs, whatever is called
        return {
            key: None if time is None else max(_LEAST_US, 1e6 * (time - base))
            for key, time in found.items()
        }

    question = [threads, _VERSION, sorted(files), list(sizes)]
    return dict(kept("ai-edge-litert", question, measure))
