"""Pages from the templates of this folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit_runtimes import RuntimeMissing


def rendered(template: str, filters: Mapping[str, Callable[..., str]], **values: Any) -> str:
    """Render a template; a name that it does not know is an error, and text stays text.

    Args:
        template: its file.
        filters: functions that it writes values with, by their names there.
        values: what it knows.

    Raises:
        RuntimeMissing: jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise RuntimeMissing(
            "a page needs jinja2: pip install 'edgekit-toolkit[validate]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(template).render(**values)
