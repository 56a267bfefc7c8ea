"""What a search measured, kept by content: a search that was stopped goes on, and a second one is quick."""

import hashlib
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from edgekit.data.store import StoredArrays
from edgekit.inference import output_cache


class Kept:
    """Documents and arrays, each under what it depends on."""

    def __init__(self, base: str | None, run: Path, scratch: Path) -> None:
        """Look in the user's cache, or in a folder of this run.

        Args:
            base: stands for all that everything depends on; None where it cannot be known, or the cache is
                off: what is kept is then gone with the run.
            run: a folder of this run, which outlives a worker that crashes.
            scratch: for arrays that are taken out.
        """
        self._base = base or "this run"
        self._place = None if base else run
        self._scratch = scratch
        self._numbers = count()

    def find(self, *of: object) -> tuple[dict[str, Any], StoredArrays] | None:
        """What was kept under this, or None."""
        folder = self._scratch / f"kept {next(self._numbers)}"
        return output_cache.find(self._key(of), folder, place=self._place)

    def keep(
        self,
        document: Mapping[str, Any],
        arrays: StoredArrays | None = None,
        *,
        of: tuple[object, ...],
    ) -> None:
        """Keep a document, and arrays, under this."""
        output_cache.keep(self._key(of), document, arrays, place=self._place)

    def _key(self, of: tuple[object, ...]) -> str:
        return "tune-" + hashlib.sha256(repr((self._base, *of)).encode()).hexdigest()
