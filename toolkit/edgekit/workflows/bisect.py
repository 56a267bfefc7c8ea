"""``edgekit.bisect``: the first layer that a target computes otherwise than this machine, and how."""

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.open import check_data
from edgekit.data.samples import Array, DataError
from edgekit.device.board_parts import board_runner
from edgekit.diagnosis.judged_pieces import Difference, differences, find_difference
from edgekit.diagnosis.layer_groups import find_group
from edgekit.diagnosis.other_readings import find_reading
from edgekit.inference.parts import Answer, Runner, run_here
from edgekit.names import printable
from edgekit.progress import Progress, silent
from edgekit.report.bisection import Bisection, FileBisection, LayerGroup, LayerVerdict
from edgekit.workflows.given_samples import first_samples, given_or_golden
from edgekit_converters import ConversionError
from edgekit_converters.pieces import Part, Pieces
from edgekit_converters.pieces_of import pieces_of
from edgekit_runtimes import FILES, DeviceUnavailable, ModelError, open_model
from edgekit_runtimes.arrays import as_input
from edgekit_runtimes.bundle.golden import open_golden
from edgekit_runtimes.processing.answers import find_device

SAMPLES = 8
"""As many as there are golden samples."""

_MOST_BYTES = 64 << 20
"""Of all layers' values: they are copied to the target."""

_LOST = "what it reads was not computed here"
_DYNAMIC = 4.0
"""Times rounding where a runtime quantizes at each call: by rows or as a whole, to 7 bits or 8."""

_WHOLE = "whole file, output {}"
_ADDED_UP = 3.0
"""Times one operator's rounding, that a whole file may be off without being wrong."""


def bisect(
    model: str | Path,
    target: str | Runner,
    data: Any = None,
    *,
    device: str = "cpu",
    python: str | None = None,
    reference: str = "cpu",
    samples: int = SAMPLES,
    progress: Progress = silent,
) -> Bisection:
    """Find the first layer that a target computes otherwise, given the same inputs, and say how.

    The file is cut into its layers, each a file of its own. Here they run one after the other; there each
    runs on what the one before it made *here*, so that no layer is blamed for another's error.

    >>> import edgekit
    >>> found = edgekit.bisect("out/model_int8.onnx", "reference", "samples.npz")
    >>> found.same, found.files[0].first
    (True, None)

    Args:
        model: a ``.tflite`` or ``.onnx`` file, or a folder that edgekit made: then each of its files.
        target: a device of this machine, as ``edgekit devices`` lists them; a board, as
            ``ssh://user@host``; or a function that runs parts of a model somewhere, as
            ``edgekit.inference.parts.Runner`` describes it.
        data: samples, of any kind that ``validate`` takes; by default the golden samples of the folder.
        device: on a board, the device there.
        python: on a board, the Python there; by default, one that has edgekit.
        reference: the device of this machine that is right.
        samples: how many to run at most.
        progress: is told each step.

    Returns:
        What was found of each file; true in a condition where the target computes what it should.

    Raises:
        DataError: there are no samples, or no such file.
        DeviceUnavailable: the target is not there, or opens none of the files.
        ModelError: a file cannot be run here.
    """
    path = Path(model)
    if data is not None:
        check_data(data)
    files = _files(path)
    given, _ = given_or_golden(data, [path])
    if given is None:
        raise DataError(
            f"{printable(path)}: there are no golden samples in its folder: pass data=... with a few samples."
        )
    local = isinstance(target, str) and "://" not in target
    found, skipped = [], []
    with _runner(target, device, python) as run:
        for file in files:
            try:
                if local:
                    find_device(str(target), file.suffix)
                found.append(
                    _bisect_file(file, run, given, reference, samples, data is None, progress)
                )
            except DeviceUnavailable as error:
                if len(files) == 1:
                    raise
                skipped.append(f"{file.name}: {error}")
    if not found:
        raise DeviceUnavailable(f"{printable(path)}: no file runs on the target. {skipped[0]}")
    shown = target if isinstance(target, str) else getattr(target, "__name__", "function")
    return Bisection(printable(path), str(shown), reference, tuple(found), tuple(skipped))


def _runner(
    target: str | Runner, device: str, python: str | None
) -> AbstractContextManager[Runner]:
    if not isinstance(target, str):
        return nullcontext(target)
    if "://" in target:
        return board_runner(target, device, python)
    return nullcontext(run_here(target))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        if files := [p for p in sorted(path.iterdir()) if p.suffix in FILES]:
            return files
        raise DataError(f"{printable(path)}: it holds no {' or '.join(FILES)} file.")
    if not path.is_file():
        raise DataError(f"{printable(path)}: there is no such file or folder.")
    if path.suffix not in FILES:
        raise DataError(f"{printable(path)}: a file to bisect ends in {' or '.join(FILES)}.")
    return [path]


def _bisect_file(
    path: Path,
    run: Runner,
    data: Any,
    reference: str,
    count: int,
    golden: bool,
    progress: Progress,
) -> FileBisection:
    pieces = pieces_of(path)
    here = run_here(reference)
    progress(f"{path.name}: running its {len(pieces.pieces)} layers here")
    inputs = _inputs(path, data, count)
    whole = _whole(path, pieces)
    parts, reasons = _parts(pieces)
    notes: list[str] = []
    made = dict(inputs)
    answers = here(path.suffix, [whole, *parts.values()], inputs, chained=True)
    if isinstance(answers[0], str):
        raise ModelError(f"{path}: it cannot be run here: {answers[0]}")
    made |= dict(zip(whole.makes, answers[0], strict=True))
    for (at, part), found in zip(parts.items(), answers[1:], strict=True):
        if isinstance(found, str):
            reasons[at] = f"it does not run alone here: {found}"
        else:
            made |= dict(zip(part.makes, found, strict=True))
    made = _fewer(made)
    samples = len(next(iter(made.values())))
    known = {at: p for at, p in parts.items() if {*p.reads, *p.makes} <= made.keys()}
    if golden:
        notes += _own_errors(path, [made[name][:samples] for name in whole.makes], pieces)
    progress(f"{path.name}: running them on the target")
    read = {name: made[name] for p in (whole, *known.values()) for name in p.reads}
    there = run(path.suffix, [whole, *known.values()], read, chained=False)
    outputs = _outputs(path, pieces, made, whole, there[0], golden)
    refusal = there[0] if isinstance(there[0], str) else ""
    judged = dict(zip(known, there[1:], strict=True))
    layers = [
        _verdict(pieces, at, known.get(at), judged.get(at, reasons.get(at, _LOST)), made)
        for at in range(len(pieces.pieces))
    ]
    if refusal:  # else a layer that does not run alone is no fault: its ends may be of other types
        layers = [
            replace(x, status="fails") if x.status == "not run" and at in known else x
            for at, x in enumerate(layers)
        ]
    first = next((at for at, layer in enumerate(layers) if layer.status == "differs"), None)
    group = None
    if first is not None:
        layers[first] = _reread(layers[first], known[first], judged[first], made, here, pieces)
    elif outputs:
        progress(f"{path.name}: every layer is right alone; running groups of them")
        group, note = _group(pieces, made, run)
        notes += [note] if note else []
    return FileBisection(
        path.name, samples, tuple(outputs), tuple(layers), refusal, group, tuple(notes)
    )


def _inputs(path: Path, data: Any, count: int) -> dict[str, Array]:
    """The samples as the file itself takes them, each a whole batch."""
    with open_model(path) as session:
        samples = first_samples(session, path, data, count)
        specs = session.inputs
    batches = {}
    for spec in specs:
        size = spec.shape[0] or 1
        rows = [np.repeat(row[np.newaxis], size, axis=0) for row in samples[spec.name]]
        batches[spec.name] = np.stack([as_input(row, spec) for row in rows])
    return batches


def _whole(path: Path, pieces: Pieces) -> Part:
    makes = tuple(_WHOLE.format(name) for name in pieces.outputs)
    content = path.read_bytes()
    if path.with_name(f"{path.name}.data").exists():  # its weights: a part has them inside
        content = pieces.cut(range(len(pieces.pieces))).content
    return Part(content, pieces.inputs, makes)


def _parts(pieces: Pieces) -> tuple[dict[int, Part], dict[int, str]]:
    """The file of each layer by its place; and of those that cannot be cut out, why."""
    parts, reasons = {}, {}
    for at in range(len(pieces.pieces)):
        try:
            parts[at] = pieces.cut([at])
        except ConversionError as error:
            reasons[at] = str(error)
    return parts, reasons


def _fewer(made: dict[str, Array]) -> dict[str, Array]:
    """As many samples as can be copied to a target in short."""
    rows = len(next(iter(made.values())))
    each = sum(array.nbytes for array in made.values()) / rows
    kept = max(1, min(rows, int(_MOST_BYTES / max(each, 1))))
    return {name: array[:kept] for name, array in made.items()}


def _outputs(
    path: Path,
    pieces: Pieces,
    made: Mapping[str, Array],
    whole: Part,
    answer: Answer,
    golden: bool,
) -> list[Difference]:
    """The outputs of the whole file that differ by more than the golden samples' tolerances, or than rounding."""
    if isinstance(answer, str):
        return []
    tolerances: Mapping[str, float] = {}
    if golden:
        with contextlib.suppress(ModelError):  # without a manifest there are none
            tolerances = open_golden(path.parent).tolerances.get(path.name, {})
    found = (
        find_difference(
            made[expected],
            actual,
            pieces.ports[name],
            channels_first=False,
            allowed=_ADDED_UP,
            tolerance=tolerances.get(name),
        )
        for name, expected, actual in zip(pieces.outputs, whole.makes, answer, strict=True)
    )
    return [difference for difference in found if difference is not None]


def _own_errors(path: Path, outputs: Sequence[Array], pieces: Pieces) -> list[str]:
    """What to say where this machine does not give the golden answers either."""
    try:
        golden = open_golden(path.parent)
    except ModelError:
        return []
    notes = []
    expected, tolerances = golden.outputs.get(path.name, {}), golden.tolerances.get(path.name, {})
    for name, rows in zip(pieces.outputs, outputs, strict=True):
        port = pieces.ports[name]
        if name not in expected or name not in tolerances:
            continue
        first = rows[:, 0].astype(np.float64)
        if rows.dtype.kind in "iu" and port.scale:
            first = (first - port.zero_point) * port.scale
        error = float(np.abs(first - expected[name][: len(rows)]).max(initial=0))
        if not error <= tolerances[name]:
            notes.append(
                f"this machine is off too: {name} differs by {error:.3g} from the golden samples, of which the "
                f"manifest allows {tolerances[name]:.3g}. Name another reference=..., as reference"
            )
    return notes


def _verdict(
    pieces: Pieces, at: int, part: Part | None, answer: Answer, made: Mapping[str, Array]
) -> LayerVerdict:
    piece = pieces.pieces[at]
    if part is None or isinstance(answer, str):
        assert isinstance(answer, str)
        return LayerVerdict(piece.name, piece.kind, "not run", note=answer)
    found = differences(
        [made[name] for name in part.makes],
        answer,
        [pieces.ports[name] for name in part.makes],
        channels_first=pieces.channels_first,
        allowed=_DYNAMIC if piece.dynamic else 1.0,
        loop=piece.loop,
    )
    if found:
        return LayerVerdict(piece.name, piece.kind, "differs", found[0])
    return LayerVerdict(piece.name, piece.kind, "same")


def _reread(
    layer: LayerVerdict,
    part: Part,
    answer: Answer,
    made: Mapping[str, Array],
    here: Runner,
    pieces: Pieces,
) -> LayerVerdict:
    """The verdict in better words, where the layer computes on its inputs read in another way."""
    assert layer.difference is not None and not isinstance(answer, str)
    words = find_reading(part, answer, made, here, pieces)
    return replace(layer, difference=replace(layer.difference, how=words)) if words else layer


def _group(pieces: Pieces, made: Mapping[str, Array], run: Runner) -> tuple[LayerGroup | None, str]:
    found = find_group(pieces, made, run)
    if found is None:
        return None, (
            "no layer and no group of layers differs by more than rounding: small differences add up, or "
            "the whole file is compiled otherwise than its parts"
        )
    first, last, difference = found
    chosen = pieces.pieces[first : last + 1]
    operators = tuple(piece.kind for piece in chosen)
    return LayerGroup(chosen[0].name, chosen[-1].name, operators, difference), ""
