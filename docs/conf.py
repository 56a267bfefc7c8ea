"""How the site is built: ``make docs``.

Sphinx, because it documents Python from the docstrings themselves, fails on a warning, checks links, and has been kept
up for sixteen years; furo for its narrow screens and its dark side. The pages stay Markdown that reads well without it.
"""

import re
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

project = "edgekit"
version = release = installed("edgekit-toolkit")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
exclude_patterns = ["requirements.lock"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = f"edgekit {version}"
html_copy_source = False
html_extra_path = ["llms.txt"]  # https://llmstxt.org
html_show_copyright = False
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|HOST)\b.*"]

PAGES = {
    "README.md": "start.md",
    "CONTRIBUTING.md": "contributing.md",
    "samples/README.md": "samples.md",
}
"""What lies elsewhere in the repository and is a page of the site all the same."""

_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]*)(#[^)]*)?\)")
_ADDRESS = re.compile(r"<function (\w+) at 0x[0-9a-f]+>")
_DOCS = Path(__file__).parent


def _linked(text: str, folder: Path) -> str:
    """A page's text, its links from a folder of the repository turned into links from this one."""

    def link(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        there = (folder / path).resolve().relative_to(_DOCS.parent).as_posix()
        page = PAGES.get(there) or (
            there.removeprefix("docs/") if there.startswith("docs/") else f"../{there}"
        )
        return f"]({page}{anchor})"

    return _LINK.sub(link, text)


# The parameters are Sphinx's, whether they are of use or not.
def _read(app: Any, name: str, content: list[str]) -> None:  # noqa: ARG001
    """Links of a page to what the table moved."""
    if "/" not in name:
        content[0] = _linked(content[0], _DOCS)


def _include(app: Any, path: Path, parent: str, content: list[str]) -> None:  # noqa: ARG001
    """Links of a page that lies elsewhere."""
    content[0] = _linked(content[0], _DOCS / path.parent)


def _signature(*given: Any) -> tuple[str | None, str | None]:
    """A function as a default by its name: its address is another one in each build."""
    *_, shown, returns = given
    return _ADDRESS.sub(r"\1", shown) if shown else shown, returns


_held: dict[str, list[str]] = {}


def _hold(*given: Any) -> None:
    """Keep an attribute's text from napoleon, which takes "Of two folders: what differs" for a type."""
    _, what, name, *_, lines = given
    if what in ("attribute", "property"):
        _held[name] = list(lines)
        lines.clear()


def _give_back(*given: Any) -> None:
    """Put it back when napoleon is done."""
    _, _, name, *_, lines = given
    lines[:] = _held.pop(name, lines)


def setup(app: Any) -> None:
    """Connect what is above."""
    app.connect("source-read", _read)
    app.connect("include-read", _include)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _hold, priority=400)
    app.connect("autodoc-process-docstring", _give_back, priority=600)
