"""``recipe.json``: how the file of each format was made, to make it again.

The same model and samples give the same bytes by it; a model that was trained again gets the same
treatment.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle import schema
from edgekit.bundle.folder import write_json
from edgekit.bundle.manifest import RecipeEntry
from edgekit.bundle.plain import from_plain, to_plain
from edgekit.data.samples import DataError
from edgekit_converters import Recipe, RecipeDocument, all_formats, document_of

RECIPE = "recipe.json"


@dataclass(frozen=True, slots=True)
class RecipesDocument:
    """A ``recipe.json``."""

    recipes: dict[str, RecipeDocument]
    """By the name of a format."""


def recipe_to_json(recipes: Mapping[str, Recipe], operators: Mapping[str, str]) -> dict[str, Any]:
    """Return recipes as a document of plain values.

    Args:
        recipes: by the name of a format.
        operators: of the model: ``Variants.operators``.
    """
    return documents_to_json({name: document_of(r, operators) for name, r in recipes.items()})


def documents_to_json(documents: Mapping[str, RecipeDocument]) -> dict[str, Any]:
    """Return the documents of recipes, by format, as one of plain values."""
    plain: dict[str, Any] = to_plain(RecipesDocument(dict(documents)))
    return {"schema": schema.RECIPE, **plain}


def recipe_from_json(plain: Any) -> dict[str, RecipeDocument]:
    """Return the recipe of each format, from what ``recipe_to_json`` made.

    Raises:
        ValueError: it is no such document.
    """
    if not isinstance(plain, dict) or plain.get("schema") != schema.RECIPE:
        there = plain.get("schema") if isinstance(plain, dict) else plain
        raise ValueError(f"its schema is {there!r}; this edgekit reads {schema.RECIPE!r}")
    recipes = from_plain(RecipesDocument, plain).recipes
    if unknown := [name for name in recipes if name not in all_formats()]:
        raise ValueError(f"{unknown[0]!r} is no format: {', '.join(all_formats())} are known")
    return recipes


def write_recipes(documents: Mapping[str, RecipeDocument], path: Path) -> None:
    """Write the recipe of each format as JSON."""
    write_json(path, documents_to_json(documents))


def read_recipes(path: Path) -> dict[str, RecipeDocument]:
    """Read the recipe of each format.

    Raises:
        DataError: there is no such file, or it is no recipe.
    """
    try:
        return recipe_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not a recipe that can be read: {error}. `edgekit convert` with a recipe's options, "
            f"and `edgekit tune`, write one."
        ) from error


def entry_of(document: RecipeDocument) -> RecipeEntry:
    """Return what a manifest says of a recipe."""
    canonical = json.dumps(to_plain(document), sort_keys=True, ensure_ascii=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return RecipeEntry(digest, document.in_float, len(document.operators))
