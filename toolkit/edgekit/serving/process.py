"""The process of a model, as the worker sees it: calls go out, and answers come when they come."""

import contextlib
import pickle
import socket
from collections.abc import Mapping
from pathlib import Path

from edgekit.data.samples import Array
from edgekit.serving import child
from edgekit.serving.memory import Memory, open_memory
from edgekit_runtimes.base import ModelError
from edgekit_runtimes.subprocess_engine import Child

AHEAD = 2
"""Calls at once: one runs, and the next lies ready, so that the process need not wait for this one."""

Result = tuple[dict[str, Array], float] | Exception
"""The outputs of a call and the seconds that it took; or what the runtime raised."""


class Ended(Exception):
    """The process has ended; the message says how."""


class ModelProcess:
    """A process in which a model is open."""

    def __init__(self, subject: str) -> None:
        """Start the process.

        Args:
            subject: the model's name in errors.
        """
        files = [open_memory() for _ in range(AHEAD)]
        self._memories = [Memory(file) for file in files]
        self._socket, theirs = socket.socketpair()
        self._received = bytearray()
        self._sent = self._answered = 0
        with theirs:
            self._inherited = theirs.fileno(), files
            self._child = Child(subject, inherited=[theirs.fileno(), *files])

    def open(self, path: Path, device: str, threads: int | None, key: Path | None) -> child.Opened:
        """Open the model; from then on it answers calls.

        Raises:
            RuntimesError: it cannot be opened.
        """
        opened: child.Opened = self._child.ask(child.open_and_time, path, device, threads, key)
        self._child.begin(child.answer_calls, *self._inherited)
        return opened

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    def fileno(self) -> int:
        """A descriptor that can be read when there is something for ``receive``."""
        return self._socket.fileno()

    def send(self, inputs: Mapping[str, Array]) -> None:
        """Begin a call, of ``AHEAD`` at most; the answers come in the same order.

        Raises:
            Ended: the process has ended.
        """
        number = self._sent % AHEAD
        layout = self._memories[number].put(inputs)
        try:
            self._socket.sendall(pickle.dumps((number, layout)))
        except OSError as error:
            raise Ended(self._how()) from error
        self._sent += 1

    def receive(self) -> list[Result]:
        """The answers that have come.

        Raises:
            Ended: the process has ended.
        """
        try:
            received = self._socket.recv(1 << 16)
        except OSError:
            received = b""
        if not received:
            raise Ended(self._how())
        self._received += received
        results: list[Result] = []
        while len(self._received) >= child.LENGTH.size:
            end = child.LENGTH.size + child.LENGTH.unpack_from(self._received)[0]
            if len(self._received) < end:
                break
            content = pickle.loads(self._received[child.LENGTH.size : end])
            del self._received[:end]
            if isinstance(content, Exception):
                results.append(content)
            else:
                layout, seconds = content
                memory = self._memories[self._answered % AHEAD]
                # The next call but one has this memory for its inputs.
                outputs = {name: view.copy() for name, view in memory.get(layout).items()}
                results.append((outputs, seconds))
            self._answered += 1
        return results

    def forget_printed(self) -> None:
        """Give back what is kept of all that the runtime printed."""
        self._child.forget_printed()

    def kill(self) -> None:
        """End the process whatever it does."""
        self._child.kill()

    def end(self) -> None:
        """End the process when it has done what it does."""
        self._socket.close()
        self._child.end()
        for memory in self._memories:
            memory.close()
        self._memories.clear()

    def _how(self) -> str:
        """How the process ended; it is about to, where it has closed its end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._child.result()
        except ModelError as error:
            return str(error)
        except Exception as error:  # of ours, in the process
            return f"{self._child.subject}: {type(error).__name__}: {error}"
        return f"{self._child.subject}: the process has ended."
