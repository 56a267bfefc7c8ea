"""Boards over OpenSSH: the system's ``ssh``, with its keys, its configuration and its checks of hosts."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from shlex import join, quote
from shutil import which
from tempfile import TemporaryDirectory

from edgekit.device.board import Address, Board, BoardError, ConnectionLost, Output, run_process

_OPTIONS = {
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",  # a cable that was pulled is noticed after three of them
    "ServerAliveCountMax": "3",
    "RemoteCommand": "none",  # of the user's configuration
    "RequestTTY": "no",
}
_FAILED = 255  # the status of ssh itself; a command's own is passed on


@contextmanager
def open_ssh(address: Address) -> Iterator[Board]:
    """A board behind an SSH server, by one connection for all commands, so that a password is asked for once.

    Raises:
        BoardError: there is no ``ssh`` here, or the board cannot be reached, is not known, or lets
            nobody in: each with what to do.
    """
    if which("ssh") is None:
        raise BoardError(f"{address.text}: there is no ssh here. Install OpenSSH's client.")
    options = dict(_OPTIONS)
    if not sys.stdin or not sys.stdin.isatty():
        options["BatchMode"] = "yes"  # nobody is there to type a password
    with TemporaryDirectory(prefix="edgekit-") as folder:
        if os.name == "posix":  # Windows' ssh connects anew each time
            options |= {"ControlMaster": "auto", "ControlPath": f"{folder}/ssh"}
            options["ControlPersist"] = "30"  # seconds that it stays where this process is killed
        ssh = ["ssh", *(f"-o{name}={value}" for name, value in options.items())]
        ssh += ["-p", str(address.port)] if address.port else []
        run = partial(_run, address, ssh)
        try:
            run("true")
            yield Board(address.text, address.path, run)
        finally:
            if os.name == "posix":
                run_process([*ssh, "-O", "exit", "--", address.name])


def _run(address: Address, ssh: list[str], command: str, feed: Iterable[bytes] = ()) -> Output:
    # The login shell may be none of sh's family.
    output = run_process([*ssh, "--", address.name, f"exec sh -c {quote(command)}"], feed)
    if output.status == _FAILED:
        raise _explained(address, output.stderr)
    return output


def _explained(address: Address, said: str) -> BoardError:
    """The error of a connection, by what ssh said of it."""
    host = address.name.rpartition("@")[2]
    by_hand = join(["ssh", *(["-p", str(address.port)] if address.port else []), address.name])
    known = f"[{host}]:{address.port}" if address.port not in (None, 22) else host
    last = (said.strip().splitlines() or ["the connection was closed"])[-1]
    for pattern, kind, words in (
        (
            "HOST IDENTIFICATION HAS CHANGED",
            BoardError,
            "the host's key is another than before. Either the board was set up anew, or somebody is in "
            "between. If you know that it was set up anew, type: "
            f"ssh-keygen -R {quote(known)}; then {by_hand}, and compare the fingerprint.",
        ),
        (
            r"host key is known|Host key verification failed",
            BoardError,
            "the host's key is not known here, so nobody can say whether it is your board. Type "
            f"{by_hand} once, compare the fingerprint that it shows with what "
            "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the board, and answer yes.",
        ),
        (
            r"Permission denied|Too many authentication failures",
            BoardError,
            "the board is there, and refuses to let you in. Check the user's name in the address; to make "
            f"a key and take it there: ssh-keygen -t ed25519, then {by_hand.replace('ssh', 'ssh-copy-id', 1)}.",
        ),
        (
            "Could not resolve hostname",
            BoardError,
            f"no machine is called {host} here. Check the name, or write the board's IP address.",
        ),
        (
            r"No route to host|Network is unreachable|connect to .*timed out",
            BoardError,
            f"no route to {host}: is the board switched on, and in this network? `ping {host}` tells.",
        ),
        (
            "Connection refused",
            BoardError,
            f"{host} is there, and nothing answers on port {address.port or 22}. Switch its SSH server "
            "on (on a Raspberry Pi: sudo raspi-config, Interface Options, SSH), or check the port.",
        ),
        (
            r"closed|reset|Broken pipe|Timeout, server|not responding|mux_client|^$",
            ConnectionLost,
            f"the connection was lost ({last}). What was copied stays: the same command goes on "
            "where it stopped.",
        ),
    ):
        if re.search(pattern, said.strip()):
            return kind(f"{address.text}: {words}")
    return BoardError(f"{address.text}: ssh says: {last}")
