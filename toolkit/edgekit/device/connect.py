"""``open_board``: from an address to a board, by the table of schemes."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from edgekit.device.adb import open_adb
from edgekit.device.board import Address, Board, BoardError, read_address
from edgekit.device.ssh import open_ssh

SCHEMES: dict[str, Callable[[Address], AbstractContextManager[Board]]] = {
    "ssh": open_ssh,
    "adb": open_adb,
}
"""How boards are reached: one more entry is one more way."""


def open_board(address: str) -> AbstractContextManager[Board]:
    """Connect to a board; the connection ends with the context.

    ```
    with open_board("ssh://pi@raspberrypi.local") as board:
        print(board.run("uname -m").stdout)
    ```

    Raises:
        BoardError: it is no address of a board, or the board cannot be reached; says what to do.
    """
    read = read_address(address)
    if read.scheme not in SCHEMES:
        raise BoardError(
            f"{address}: a board is written ssh://user@host[:port][/path], or adb://serial[/path]."
        )
    return SCHEMES[read.scheme](read)
