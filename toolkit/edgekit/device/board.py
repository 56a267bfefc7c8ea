"""A board: another machine, to which files are copied and where commands run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile
from typing import Protocol
from urllib.parse import unquote, urlsplit

from edgekit.errors import EdgekitError


class BoardError(EdgekitError):
    """A board cannot be reached, or lacks what is needed there."""


class ConnectionLost(BoardError):
    """The connection to a board broke: what was asked of it may have been done, or not."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def last_line(self) -> str:
        """The last line of what was printed: a login script may print lines before it."""
        return (self.stdout.strip().splitlines() or [""])[-1]


class Run(Protocol):
    """Runs a command of ``sh`` in the board's home folder and waits for its end, whatever its status.

    ``feed`` becomes its standard input, block by block.

    Raises:
        BoardError: the board cannot be reached, in words.
    """

    def __call__(self, command: str, feed: Iterable[bytes] = ()) -> Output:
        """The output of the command."""


@dataclass(frozen=True, slots=True)
class Board:
    """A board that can be reached: what ``open_board`` gives."""

    address: str
    """As it was typed."""

    path: str | None
    """The path in the address; relative to the home folder where it does not begin with a slash."""

    run: Run
    note: str = ""
    """What one should know before trusting it: that it was never tested on hardware."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of ``scheme://user@host:port/path``."""

    text: str
    scheme: str
    name: str
    """Host and user, or what else stands between the slashes."""
    port: int | None
    path: str | None
    """None where there is none; ``/~/x`` is ``x``, in the home folder."""


def read_address(text: str) -> Address:
    """The parts of an address.

    >>> read_address("ssh://pi@raspberrypi.local:2222/opt/model")
    Address(text='ssh://pi@raspberrypi.local:2222/opt/model', scheme='ssh', name='pi@raspberrypi.local', port=2222, path='/opt/model')
    >>> read_address("ssh://pi@raspberrypi.local/~/model").path
    'model'

    Raises:
        BoardError: it is none, or has a password in it.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BoardError(f"{text}: {error}.") from error
    if not parts.hostname or parts.query or parts.fragment:
        raise BoardError(f"{text}: a board is written ssh://user@host[:port][/path].")
    if parts.password is not None:
        raise BoardError(
            f"{parts.scheme}://{parts.username}:...@{parts.hostname}: a password does not belong into an address, "
            "where others can read it. Leave it out, and ssh asks for it, or make a key: ssh-keygen, "
            f"then ssh-copy-id {parts.username}@{parts.hostname}."
        )
    written = parts.netloc.rpartition("@")[
        2
    ]  # `hostname` is in small letters, serial numbers are not
    host = written[1:].partition("]")[0] if written[:1] == "[" else written.partition(":")[0]
    path = unquote(parts.path).rstrip("/")
    path = path.removeprefix("/~/") if path.startswith("/~/") else path
    name = f"{unquote(parts.username)}@{host}" if parts.username else host
    if name.startswith("-") or not (name + path).isprintable():
        raise BoardError(
            f"{text}: the host may not begin with a hyphen, nor hold control characters."
        )
    return Address(text, parts.scheme, name, port, None if path in ("", "/~") else path)


def run_process(command: Sequence[str], feed: Iterable[bytes] = ()) -> Output:
    """Run a program here to its end; where it ends before it has read all of ``feed``, the rest is not read.

    What it prints goes to files: a process that it leaves behind, as ssh does, may keep a pipe open.
    """
    with TemporaryFile() as out, TemporaryFile() as err:
        process = Popen(command, stdin=PIPE if feed else DEVNULL, stdout=out, stderr=err)
        try:
            if process.stdin:
                try:
                    for block in feed:
                        process.stdin.write(block)
                    process.stdin.close()
                except BrokenPipeError:  # it has ended, and its status says why
                    process.stdin = None
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return Output(process.returncode, *texts)
