"""Whether the packages that a piece of work needs are installed, asked before it begins."""

from collections.abc import Iterable
from importlib.util import find_spec

from edgekit_runtimes import RuntimeMissing

CONVERTERS = ("tensorflow", "keras", "tf2onnx", "onnx", "litert_quantizer", "scipy")
"""What a conversion imports, beside the runtimes that open its files."""

_PIP_NAMES = {"sklearn": "scikit-learn", "OpenSSL": "pyopenssl", "ethosu": "ethos-u-vela"}


def missing(modules: Iterable[str]) -> list[str]:
    """Return those of the modules that are not installed, as pip calls them; nothing is imported.

    >>> missing(["json", "no_such_module"])
    ['no-such-module']
    """
    lacking = [name for name in modules if find_spec(name) is None]
    return [_PIP_NAMES.get(name, name.replace("_", "-")) for name in lacking]


def require(modules: Iterable[str], purpose: str, extra: str) -> None:
    """Refuse work whose modules are not installed.

    Args:
        modules: as they are imported.
        purpose: the work, for the message.
        extra: of edgekit's, that installs them.

    Raises:
        RuntimeMissing: one is not; the message has the pip line.
    """
    if names := missing(modules):
        raise RuntimeMissing(
            f"{purpose} needs {', '.join(names)}: pip install 'edgekit-toolkit[{extra}]'"
        )
