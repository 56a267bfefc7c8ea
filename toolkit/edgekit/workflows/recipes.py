"""The recipes that a conversion is told, and those that it followed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.bundle.recipes import read_recipes
from edgekit.data.samples import DataError
from edgekit.workflows.evaluate import FLOAT
from edgekit_converters import (
    FURTHER,
    PRECISIONS,
    Conversion,
    Precision,
    RecipeDocument,
    Target,
    check_method,
    format_of,
)


def chosen_recipes(
    chosen: Mapping[str, Any], *, given: bool
) -> tuple[dict[Target, RecipeDocument], tuple[Precision, ...]]:
    """Return the recipe of each file that is to be made by one, and the precisions to write.

    Args:
        chosen: the options.
        given: whether the caller chose precisions; else a recipe does, beside float32.
    """
    if chosen["ranges"] is not None:
        check_method(chosen["ranges"])
    precisions: tuple[Precision, ...] = chosen["precision"]
    if chosen["recipe"] is None:
        return {}, precisions
    documents = read_recipes(chosen["recipe"])
    for name, form in FURTHER.items():  # it follows the recipe of the format that it is a kind of
        plain = format_of(Path(form.file_name("int8")))
        if plain in documents:
            documents.setdefault(name, documents[plain])
    wanted = {name: document for name, document in documents.items() if name in chosen["to"]}
    if not wanted:
        raise DataError(
            f"{chosen['recipe']}: has recipes for {', '.join(documents) or 'no format'}, and "
            f"{', '.join(chosen['to'])} is to be written."
        )
    own = {document.precision for document in wanted.values()}
    if not given:
        precisions = tuple(p for p in PRECISIONS if p in {FLOAT, *own})
    elif missing := own - set(precisions):
        raise DataError(
            f"{chosen['recipe']}: is for {' and '.join(sorted(missing))}, and precision is "
            f"{', '.join(precisions)}: name that too, or leave precision out."
        )
    return {(name, document.precision): document for name, document in wanted.items()}, precisions


def written_recipes(conversion: Conversion) -> dict[str, RecipeDocument]:
    """Return what each format's calibrated file was made by; where there are two, the int8 one."""
    shown: dict[str, RecipeDocument] = {}
    for (form, precision), document in conversion.recipes.items():
        if precision == "int8" or form not in shown:
            shown[form] = document
    return shown
