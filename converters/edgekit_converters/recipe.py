"""The recipe of a file: what decides its numbers beside the model and the samples.

Three things make a quantized file more accurate or faster: other ranges, other constants, and operators
that stay in float32. A recipe says which; the files of all formats follow it alike.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit_converters.base import CALIBRATED, PRECISIONS, ConversionError, Precision


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one file is made: plain data, and the same bytes again from the same model and samples."""

    precision: Precision = "int8"
    keep_float: Mapping[str, str] = field(default_factory=dict)
    """The operators of a calibrated file that compute in float32, each by the name of its first output
    in the float graph; with the reason, for people."""
    ranges: str = "extremes"
    """How the range of a tensor is found: ``extremes``, ``mse``, or ``percentile:99.99``."""
    equalize: bool = False
    """Whether channels are scaled to equal ranges first, which changes nothing in float."""
    correct_bias: bool = False
    """Whether biases make up for the mean error of their operators."""
    rounding_steps: int = 0
    """Steps of training the rounding of weights against the float model; 0: to nearest."""
    seed: int = 0
    dense_per_tensor: bool = False
    """Whether the weights of a Dense layer have one scale, where each of its outputs has its own otherwise."""


@dataclass(frozen=True, slots=True)
class OperatorRecipe:
    """One operator in a recipe's document."""

    output: str
    """The name of its first output in the float graph."""
    kind: str
    """As TFLite names it: ``CONV_2D``."""
    precision: Precision
    why: str = ""


@dataclass(frozen=True, slots=True)
class RecipeDocument:
    """A recipe with all operators of the model that it was made for: what ``recipe.json`` holds of a file."""

    precision: Precision
    ranges: str
    equalize: bool
    correct_bias: bool
    rounding_steps: int
    seed: int
    operators: tuple[OperatorRecipe, ...]
    dense_per_tensor: bool = False

    @property
    def in_float(self) -> int:
        """How many operators of a calibrated file it keeps in float32."""
        return sum(o.precision != self.precision for o in self.operators)


def document_of(recipe: Recipe, operators: Mapping[str, str]) -> RecipeDocument:
    """Return a recipe as a document.

    >>> document_of(Recipe(keep_float={"a": "loud"}), {"a": "ADD", "b": "MUL"}).in_float
    1

    Args:
        recipe: the recipe.
        operators: the kind of each operator of the model, by the name of its first output, in order:
            ``Variants.operators``.
    """
    return RecipeDocument(
        precision=recipe.precision,
        ranges=recipe.ranges,
        equalize=recipe.equalize,
        correct_bias=recipe.correct_bias,
        rounding_steps=recipe.rounding_steps,
        seed=recipe.seed,
        operators=tuple(
            OperatorRecipe(output, kind, "float32", recipe.keep_float[output])
            if output in recipe.keep_float
            else OperatorRecipe(output, kind, recipe.precision)
            for output, kind in operators.items()
        ),
        dense_per_tensor=recipe.dense_per_tensor,
    )


def recipe_of(document: RecipeDocument, operators: Mapping[str, str]) -> Recipe:
    """Return the recipe of a document, for a model that has the operators it was made for.

    >>> operators = {"a": "ADD", "b": "MUL"}
    >>> recipe_of(document_of(Recipe(keep_float={"a": "loud"}), operators), operators).keep_float
    {'a': 'loud'}

    Args:
        document: from ``document_of``.
        operators: of the model to convert; see there.

    Raises:
        ConversionError: the model has other operators, or the document says what no recipe can.
    """
    if document.precision not in PRECISIONS:
        raise ConversionError(
            f"the recipe's precision is {document.precision!r}: {', '.join(PRECISIONS)} are known."
        )
    if document.precision in CALIBRATED:
        _check_operators(document, operators)
    return Recipe(
        precision=document.precision,
        keep_float={
            o.output: o.why for o in document.operators if o.precision != document.precision
        },
        ranges=document.ranges,
        equalize=document.equalize,
        correct_bias=document.correct_bias,
        rounding_steps=document.rounding_steps,
        seed=document.seed,
        dense_per_tensor=document.dense_per_tensor,
    )


def _check_operators(document: RecipeDocument, operators: Mapping[str, str]) -> None:
    """Refuse a recipe that was made for another model, by the first operator that differs."""
    for wanted in document.operators:
        if wanted.output not in operators:
            raise ConversionError(
                f"the recipe does not fit this model: it has the operator {wanted.output!r} "
                f"({wanted.kind}), and the model has none of that name"
                f"{_nearest(wanted.output, operators)}. {_ANEW}"
            )
        if operators[wanted.output] != wanted.kind:
            raise ConversionError(
                f"the recipe does not fit this model: its operator {wanted.output!r} is "
                f"{wanted.kind}, and the model's is {operators[wanted.output]}. {_ANEW}"
            )
        if wanted.precision not in (document.precision, "float32"):
            raise ConversionError(
                f"the recipe keeps the operator {wanted.output!r} in {wanted.precision!r}: in a file of "
                f"{document.precision} it can be that or float32."
            )
    if new := operators.keys() - {o.output for o in document.operators}:
        first = next(output for output in operators if output in new)
        raise ConversionError(
            f"the recipe does not fit this model: the model has the operator {first!r} "
            f"({operators[first]}), of which the recipe says nothing. {_ANEW}"
        )


_ANEW = "A recipe is for one architecture, with the same names of layers: make it anew."


def check_names(
    keep_float: Iterable[str], operators: Mapping[str, str], in_loops: Iterable[str] = ()
) -> None:
    """Refuse names that are none of the model's operators, or of such as cannot be kept in float alone.

    Args:
        keep_float: the names of operators' first outputs.
        operators: the kinds of those of the main graph, by name.
        in_loops: the names of all tensors in loops.

    Raises:
        ConversionError: names the first one that is refused, and the operator that resembles it.
    """
    inside = set(in_loops)
    for name in keep_float:
        if name in inside or operators.get(name) in ("WHILE", "IF"):
            raise ConversionError(
                f"{name!r} cannot stay in float32: it is the loop of a recurrent layer, or in one. There "
                "only the products with weights are in integers, and they belong together."
            )
        if name not in operators:
            raise ConversionError(
                f"{name!r} is no operator of this model{_nearest(name, operators)}: an operator has the "
                "name of its first output."
            )


def operators_named(
    names: Sequence[str], operators: Mapping[str, str], layers: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return the operators that a person means: by the name of one, or of a layer for all that are its.

    Raises:
        ConversionError: a name is neither, and which one resembles it.
    """
    found: dict[str, None] = {}
    for name in names:
        meant = [name] if name in operators else layers.get(name, ())
        if not meant:
            raise ConversionError(
                f"keep_float={name!r}: this model has no layer of that name with operators of its own, "
                f"and no such operator{_nearest(name, [*layers, *operators])}."
            )
        found.update(dict.fromkeys(meant))
    return list(found)


def _nearest(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
