"""The templates of the targets, which lie in ``templates/``, one folder for each."""

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from edgekit_runtimes import RuntimeMissing

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".j2"


def render(
    target: str,
    folder: Path,
    values: Mapping[str, Any],
    *,
    filters: Mapping[str, Callable[[Any], str]] | None = None,
    without: Container[str] = (),
) -> None:
    """Write every template of a target into a folder, under its name without ``.j2``; the others as they are.

    Args:
        target: the name of the templates' folder.
        folder: where to.
        values: of the templates.
        filters: of the templates: how values are written in another language.
        without: names of files that are left out.

    Raises:
        RuntimeMissing: jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise RuntimeMissing(
            "an export needs jinja2: pip install 'edgekit-toolkit[validate]'"
        ) from error
    source = _TEMPLATES / target
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(source),
        autoescape=lambda name: bool(name) and ".html" in str(name),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters or {}
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        name = path.relative_to(source).as_posix()
        written = folder / name.removesuffix(_SUFFIX)
        if name in without:
            continue
        written.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(_SUFFIX):
            text = environment.get_template(name).render(values)
            written.write_text(text, encoding="utf-8")
        else:
            written.write_bytes(path.read_bytes())
