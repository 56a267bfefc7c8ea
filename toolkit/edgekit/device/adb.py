"""Android devices, by the program ``adb``: not tested on hardware."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from shutil import which

from edgekit.device.board import Address, Board, BoardError, ConnectionLost, Output, run_process
from edgekit_runtimes.base import UNTESTED

_HOME = "/data/local/tmp"  # its shell begins in /; here it may write, and start programs


@contextmanager
def open_adb(address: Address) -> Iterator[Board]:
    """A device by the serial number that ``adb devices`` lists.

    Raises:
        BoardError: there is no ``adb`` here, or the device is not there or does not trust this machine.
    """
    if which("adb") is None:
        raise BoardError(
            f"{address.text}: there is no adb here. Install Android's platform tools (on Debian: "
            "apt-get install adb)."
        )
    serial = f"{address.name}:{address.port}" if address.port else address.name
    run = partial(_run, address, ["adb", "-s", serial, "shell", "-T"])
    run("true")
    yield Board(address.text, address.path, run, note=UNTESTED)


def _run(address: Address, adb: list[str], command: str, feed: Iterable[bytes] = ()) -> Output:
    output = run_process([*adb, f"cd {_HOME} && {{ {command}\n}}"], feed)
    # adb's own errors have the status 1, as those of many commands have.
    lines = output.stderr.splitlines() if output.status else []
    said = " ".join(line for line in lines if line.startswith(("adb:", "error:")))
    if not said:
        return output
    for word, what in (
        ("not found", "no such device: `adb devices` lists those that are there"),
        ("unauthorized", "the device does not trust this machine yet: unlock it and answer yes"),
        ("more than one", "several devices are there: name one as `adb devices` lists it"),
    ):
        if word in said:
            raise BoardError(f"{address.text}: {what}.")
    raise ConnectionLost(f"{address.text}: adb says: {said}")
