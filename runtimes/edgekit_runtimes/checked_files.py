"""What is checked of a model file before a runtime opens it in this process."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit_runtimes.base import ModelError
from edgekit_runtimes.bundle.manifest_file import vouched
from edgekit_runtimes.expendable import may_crash
from edgekit_runtimes.files import FILES
from edgekit_runtimes.rehearsal import rehearse, rehearsed

if TYPE_CHECKING:
    from edgekit_runtimes.engines.devices import Device


def check_file(path: Path, device: "Device", threads: int, *, trust: bool = False) -> None:
    """Refuse a file that is not the one its manifest lists, or that its runtime might not survive.

    A file that a manifest vouches for was run when it was converted. Any other is verified, and tried
    out in a process of its own, once for its content.

    Raises:
        ModelError: it is another file than the manifest lists, is damaged, or cannot run.
        DeviceUnavailable: the device is not there.
    """
    try:
        if vouched(path) or trust or path.suffix not in FILES:
            return
        if not may_crash() and rehearsed(path, device, threads):
            return
        FILES[path.suffix].verify(path)
        if not may_crash():
            rehearse(path, device, threads)
    except OSError as error:
        raise ModelError(f"{path}: it cannot be read or tried out: {error}.") from error
