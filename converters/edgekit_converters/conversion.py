"""One model to many files: one float graph, one table of ranges, and a file for each target."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit_converters.base import (
    CALIBRATED,
    PRECISIONS,
    ConversionError,
    InterfaceType,
    Precision,
    Samples,
    Writer,
)
from edgekit_converters.formats import FORMATS, all_formats
from edgekit_converters.onnx.graph import DEFAULT_OPSET
from edgekit_converters.recipe import (
    Recipe,
    RecipeDocument,
    document_of,
    operators_named,
    recipe_of,
)
from edgekit_converters.tflite.calibration import Ranges
from edgekit_converters.tflite.float_graph import is_too_large, weight_bytes
from edgekit_converters.tflite.leftovers import float_operators
from edgekit_converters.tflite.logarithms import before_logarithms
from edgekit_converters.tflite.preprocessing import preprocessing
from edgekit_converters.variants import Progress, Variants, Written

Target = tuple[str, Precision]
"""A name in ``all_formats()``, and a precision."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion returns beside the files it wrote."""

    ranges: Ranges = field(default_factory=dict)
    """The calibrated ranges, by tensor name; empty where nothing was calibrated."""
    graph: Path | None = None
    """The float graph that was calibrated, in the scratch folder."""
    notes: tuple[str, ...] = ()
    """Where the files differ from what was asked for, in words for the user."""
    alike: bool = True
    """Whether the calibrated files of all formats compute the same numbers."""
    recipes: Mapping[Target, RecipeDocument] = field(default_factory=dict)
    """What the calibrated files that were written were made by."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why the files of a format were not written, by its name, where those of another were."""


def convert(
    model: Any,
    targets: Mapping[Target, Path],
    samples: Samples | None = None,
    *,
    scratch: Path,
    batch: int = 1,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    interface: InterfaceType = "float",
    opset: int = DEFAULT_OPSET,
    recipes: Mapping[Target, RecipeDocument] | None = None,
    keep_float: Sequence[str] = (),
    ranges: str | None = None,
    dense_per_tensor: bool = False,
    progress: Progress = lambda step: None,
) -> Conversion:
    """Write a Keras model in every wanted format and precision.

    Args:
        model: a Keras model, from ``load_model``.
        targets: the file to write for each format (a name in ``all_formats()``) and precision.
        samples: for calibration; needed for the precisions in ``CALIBRATED``.
        scratch: an existing folder for files in between, which the caller removes.
        batch: the fixed size of the batch axis.
        shapes: the shape of one sample, by input name, where the model has dynamic dimensions.
        interface: the dtype of the inputs and outputs of calibrated files.
        opset: of the ONNX files, 13 to 19.
        recipes: of calibrated files, where they are not made plainly.
        keep_float: operators of calibrated files that compute in float32, beside those of their recipes:
            by the name of an operator's first output, or of a layer for all of its operators.
        ranges: how the ranges of calibrated files are found, whatever their recipes say.
        dense_per_tensor: whether the weights of a Dense layer have one scale in calibrated files, whatever
            their recipes say.
        progress: is called with the name of each step as it begins.

    Raises:
        ConversionError: the model cannot be converted to any of the formats.

    >>> import keras
    >>> from pathlib import Path
    >>> x = keras.Input((4,), name="x")
    >>> model = keras.Model([x], [keras.layers.Dense(2)(x)])
    >>> targets = {("tflite", "float32"): Path("m.tflite"), ("onnx", "float16"): Path("m.onnx")}
    >>> convert(model, targets, scratch=Path("."))
    Conversion(ranges={}, graph=None, notes=(), alike=True, recipes={}, failed={})
    """
    _check(model, targets, samples)
    precisions = list(dict.fromkeys(precision for _, precision in targets))
    calibrated = [precision for precision in precisions if precision in CALIBRATED]
    variants = Variants(
        model,
        [name for name in all_formats() if any(name == wanted for wanted, _ in targets)],
        samples if calibrated else None,
        scratch=scratch,
        batch=batch,
        shapes=shapes,
        interface=interface,
        opset=opset,
        progress=progress,
    )
    source, writers = variants.job.integer_graph, variants.writers
    chosen = _recipes(
        targets, recipes or {}, variants, keep_float, ranges, dense_per_tensor=dense_per_tensor
    )
    made: list[tuple[Recipe, Written]] = []
    written_by: dict[Target, RecipeDocument] = {}
    for recipe, same in chosen:
        files = {name: targets[name, p] for name, p in same}
        written = variants.write(recipe, files, go_on=True)
        if written.quantized is not None:
            made.append((recipe, written))
            document = document_of(recipe, variants.operators)
            written_by.update(dict.fromkeys(same, document))
    written_by = {to: recipe for to, recipe in written_by.items() if to[0] not in variants.failed}
    failed = {name: str(error) for name, error in variants.failed.items()}
    if not calibrated:
        return Conversion(failed=failed)
    alike = not any(writer.recurrent_operators for writer in writers.values()) and all(
        len([r for r, _ in chosen if r.precision == precision]) == 1 for precision in calibrated
    )
    notes = notes_on(variants, made, [name for name, p in targets if p in CALIBRATED])
    return Conversion(variants.ranges(source), source, notes, alike, written_by, failed)


def notes_on(
    variants: Variants, made: Sequence[tuple[Recipe, Written]], formats: Collection[str] = ()
) -> tuple[str, ...]:
    """Say where calibrated files differ from what one would expect of them, in words for the user.

    Args:
        variants: that wrote them.
        made: what was written, with its recipe; of what is not calibrated there is nothing to say.
        formats: those with calibrated files; by default all that ``variants`` has.
    """
    made = [(recipe, written) for recipe, written in made if written.quantized is not None]
    if not made:
        return ()
    source, interface = variants.job.integer_graph, variants.job.interface
    meant = before_logarithms(source)
    before = len(meant)
    if interface == "float":
        meant += preprocessing(source)
    in_float: dict[Precision, list[str]] = {}
    kept: dict[int, dict[Precision, None]] = {}
    for recipe, written in made:
        assert written.quantized is not None
        left = float_operators(written.quantized.file, frozenset([*meant, *written.kept]))
        in_float.setdefault(recipe.precision, left)
        if recipe.keep_float:
            kept.setdefault(len(recipe.keep_float), {})[recipe.precision] = None
    precisions = list(dict.fromkeys(recipe.precision for recipe, _ in made))
    writers = {
        name: w for name, w in variants.writers.items() if name in (formats or variants.writers)
    }
    notes = [
        *_recurrent_notes(precisions, writers),
        *_preprocessing_notes(source, precisions, interface),
        *_float_notes(in_float),
        *_logarithm_notes(before, precisions),
        *_kept_notes(kept, len(variants.operators)),
        *(note for _, written in made for note in written.notes),
        *(note for name, w in writers.items() if name not in variants.failed for note in w.notes),
    ]
    return tuple(dict.fromkeys(notes))


def _recipes(
    targets: Mapping[Target, Path],
    documents: Mapping[Target, RecipeDocument],
    variants: Variants,
    keep_float: Sequence[str],
    ranges: str | None,
    *,
    dense_per_tensor: bool,
) -> list[tuple[Recipe, list[Target]]]:
    """Return each recipe with the targets that are made by it, calibrated ones last."""
    by_hand: dict[str, str] = {}
    if keep_float:
        named = operators_named(keep_float, variants.operators, variants.layers)
        by_hand = dict.fromkeys(named, "asked for")
    chosen: list[tuple[Recipe, list[Target]]] = []
    for target in sorted(targets, key=lambda target: target[1] in CALIBRATED):
        recipe = Recipe(target[1])
        if target in documents:
            recipe = recipe_of(documents[target], variants.operators)
        if target[1] in CALIBRATED:
            recipe = replace(
                recipe,
                keep_float={**by_hand, **recipe.keep_float},
                ranges=ranges or recipe.ranges,
                dense_per_tensor=dense_per_tensor or recipe.dense_per_tensor,
            )
        same = next((made for other, made in chosen if other == recipe), None)
        if same is None:
            chosen.append((recipe, same := []))
        same.append(target)
    return chosen


def _check(model: Any, targets: Mapping[Target, Path], samples: Samples | None) -> None:
    """Refuse what can be known to fail before TensorFlow works for minutes."""
    for name, precision in targets:
        if name not in all_formats():
            raise ConversionError(f"{name!r} is no format: choose from {', '.join(all_formats())}.")
        if precision not in PRECISIONS:
            raise ConversionError(
                f"{precision!r} is no precision: choose from {', '.join(PRECISIONS)}."
            )
        if precision not in all_formats()[name].precisions:
            raise ConversionError(
                f"{name} is written in {' and '.join(all_formats()[name].precisions)}, and {precision} was "
                "asked for."
            )
    calibrated = [p for p in PRECISIONS if p in CALIBRATED and any(p == q for _, q in targets)]
    if calibrated and not samples:
        raise ConversionError(
            f"{' and '.join(calibrated)} needs samples, which give the range of every tensor. Pass "
            "samples, or choose precisions that need none: "
            f"{', '.join(p for p in PRECISIONS if p not in CALIBRATED)}."
        )
    if is_too_large(model) and any(p not in all_formats()[name].above_2_gb for name, p in targets):
        able = [f"{name} in {p}" for name, form in FORMATS.items() for p in sorted(form.above_2_gb)]
        raise ConversionError(
            f"the weights take {weight_bytes(model) / 1e9:.1f} GB in float32, and a TFLite file, which "
            f"other files are made from, holds 2 GB. Convert to {' or '.join(able)} alone: its weights "
            "go into a file beside it."
        )


def _recurrent_notes(calibrated: list[Precision], writers: Mapping[str, Writer]) -> Iterator[str]:
    """Say how recurrent layers are computed in calibrated files: as loops, as operators, or some as each."""
    precisions = " and ".join(calibrated)
    looping = []
    for name, writer in writers.items():
        some = f" ({writer.loops} of {writer.loops + len(writer.recurrent_operators)})"
        if writer.loops:
            looping.append(all_formats()[name].title + (some if writer.recurrent_operators else ""))
    if looping:
        yield (
            f"recurrent layers keep their loop in {precisions}, in {' and '.join(looping)}: in it the "
            "matrix products, which hold the weights, are in integers; the gates and the state stay in "
            "float"
        )
    for name, writer in writers.items():
        if kinds := writer.recurrent_operators:
            count = f"{len(kinds)} of {len(kinds) + writer.loops} " if writer.loops else ""
            yield (
                f"in {all_formats()[name].title}, {count}recurrent layers are operators of their own "
                f"({', '.join(sorted(set(kinds)))}), which compute in float: in {precisions} "
                "their weights are stored as 8-bit integers"
            )


def _preprocessing_notes(
    graph: Path, calibrated: list[Precision], interface: InterfaceType
) -> Iterator[str]:
    """Say how the inputs of calibrated files are preprocessed, where the model does so itself."""
    precisions = " and ".join(calibrated)
    if preprocessing(graph):
        yield (
            f"the rescaling or normalization of the inputs stays in float in {precisions}: one scale "
            "cannot hold features of different widths"
            if interface == "float"
            else "integer inputs have one scale for all features, before the model rescales or "
            "normalizes them: where their widths differ, do that outside, or take float inputs"
        )


def _logarithm_notes(count: int, calibrated: list[Precision]) -> Iterator[str]:
    """Say how many operators compute in float because a logarithm is taken of them."""
    if count:
        yield (
            f"{count} operator{'' if count == 1 else 's'} before LOG stay{'s' if count == 1 else ''} in float32 "
            f"in {' and '.join(calibrated)}: small values would become 0, which has no logarithm"
        )


def _kept_notes(kept: Mapping[int, Mapping[Precision, None]], count: int) -> Iterator[str]:
    """Say how many operators of calibrated files compute in float32 by recipe.

    ``kept`` has the precisions by number.
    """
    for number, precisions in kept.items():
        yield (
            f"{number} of {count} operators stay{'s' if number == 1 else ''} in float32 in "
            f"{' and '.join(precisions)} by recipe"
        )


def _float_notes(in_float: Mapping[Precision, list[str]]) -> Iterator[str]:
    """Say which operators of calibrated files compute in float32; precisions with the same ones share a note.

    ``in_float`` has the kind of each such operator.
    """
    for operators in dict.fromkeys(tuple(sorted(kinds)) for kinds in in_float.values() if kinds):
        same = [p for p, kinds in in_float.items() if tuple(sorted(kinds)) == operators]
        *others, last = dict.fromkeys(operators)
        one = len(operators) == 1
        wrong = ", and LiteRT's of DIV is wrong" if "DIV" in operators else ""
        yield (
            f"{', '.join(others)}{' and ' if others else ''}{last} ({len(operators)} "
            f"operator{'' if one else 's'}) stay{'s' if one else ''} in float32 in "
            f"{' and '.join(same)}: the quantizer has no integer form{wrong}"
        )
