"""A connection that can be cut: it passes on what it gets, up to a number of bytes or until told."""

import contextlib
import socket
import threading
from types import TracebackType

_BLOCK = 4096


class Cable:
    """Listens on a port of its own, and passes connections on to another port of this machine.

    Once cut, it closes what is open and takes no more, until it is mended.
    """

    def __init__(self, port: int) -> None:
        self.left: int | None = None
        """How many bytes from the client still pass; None is without end."""
        self.passed = 0
        """Bytes that came from the client."""
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts all connections, and refuses new ones."""
        with self._lock:
            self._cut = True
            for end in self._open:
                _close(end)
            self._open.clear()

    def mend(self, left: int | None = None) -> None:
        """Takes connections again."""
        with self._lock:
            self._cut, self.left, self.passed = False, left, 0

    def __enter__(self) -> "Cable":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._cut:
                    _close(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(_BLOCK):
                if counted and self.left is not None:
                    data = data[: self.left]
                    self.left -= len(data)
                target.sendall(data)
                self.passed += len(data) if counted else 0
                if counted and self.left == 0:
                    self.cut()
        except OSError:
            pass
        _close(source)
        _close(target)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
