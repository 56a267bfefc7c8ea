"""Worker processes that have TensorFlow from the start: forked off one that imported it.

A small model is converted in half a second, and importing TensorFlow takes three. In tests, what
``run_in_worker`` starts is therefore a fork of a process that has done nothing but import; it is a
process of its own all the same, which may crash, be killed, or leave its memory to the system.
``WORKERS=fresh`` in the environment, as ``make test-slow`` sets it, gives each a fresh Python, as users
have it; so does the marker ``fresh_worker``.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

PRELOADED = (
    "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert.interpreter",
    "litert_quantizer", "scipy.stats", "edgekit.workflows.convert",
)  # fmt: skip
"""None of these starts a thread that a fork would miss."""

_STATUS = struct.Struct("i")


class ForkedWorkers:
    """A stand-in for the module ``subprocess`` in ``edgekit.workflows.worker``."""

    PIPE = subprocess.PIPE

    def __init__(self, run: Path) -> None:
        """``run`` is a folder that all processes of one test run share, and no other run has."""
        self._run = run
        self._server: socket.socket | None = None

    def Popen(  # noqa: N802
        self, command: list[str], *, env: Mapping[str, str], stderr: IO[bytes], **_: Any
    ) -> "Fork":
        """Starts the worker's own loop in a fork; takes what that module gives ``subprocess.Popen``."""
        assert "serve()" in command[-1], command
        if self._server is None:
            self._server = _server(self._run, env)
        stdin, stdout = os.pipe(), os.pipe()
        status, theirs = socket.socketpair()
        request = {"env": dict(env), "cwd": str(Path.cwd()), "path": sys.path}
        ends = [stdin[0], stdout[1], stderr.fileno(), theirs.fileno()]
        socket.send_fds(self._server, [json.dumps(request).encode()], ends)
        os.close(stdin[0])
        os.close(stdout[1])
        theirs.close()
        return Fork(os.fdopen(stdin[1], "wb"), os.fdopen(stdout[0], "rb"), status)

    def close(self) -> None:
        """Tells the process that forks; it ends with the last of its callers."""
        if self._server:
            self._server.close()


def _server(run: Path, env: Mapping[str, str]) -> socket.socket:
    """A connection to the process that forks, which is started if this run has none."""
    name = "\0edgekit-forks-" + hashlib.sha256(str(run).encode()).hexdigest()[:16]
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (run / "forks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(ConnectionRefusedError):
            ours.connect(name)
            return ours
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as calls:
            calls.bind(name)
            calls.listen()
            ours.connect(name)
            number = calls.fileno()
            line = f"from support.forked_worker import listen; listen({number})"
            subprocess.Popen(
                [sys.executable, "-c", line],
                env=dict(env),
                pass_fds=[number],
                stderr=subprocess.DEVNULL,  # TensorFlow greets there; a fork prints to its log
            )
    return ours


class Fork:
    """What ``run_in_worker`` uses of a ``subprocess.Popen``."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], status: socket.socket) -> None:
        self.stdin, self.stdout, self._status = stdin, stdout, status
        self.pid: int = _STATUS.unpack(status.recv(_STATUS.size))[0]
        self.returncode: int | None = None

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = _STATUS.unpack(self._status.recv(_STATUS.size))[0]
            self._status.close()
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def listen(number: int) -> None:
    """The process that forks: it imports, then makes a worker for each request, until all callers end."""
    import importlib

    for name in PRELOADED:
        importlib.import_module(name)
    if os.environ.get("KERNELS") == "plain":
        from support.plain_kernels import use_plain_kernels

        use_plain_kernels()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt at the terminal is the caller's
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch the workers
    calls = socket.socket(fileno=number)
    callers: list[socket.socket] = []
    while True:
        ready, _, _ = select.select([calls, *callers], [], [])
        if calls in ready:
            callers.append(calls.accept()[0])
            continue
        caller = ready[0]
        request, ends, _, _ = socket.recv_fds(caller, 1_000_000, 4)
        if not request:
            callers.remove(caller)
            caller.close()
            if not callers:
                return
            continue
        if os.fork() == 0:
            for other in (calls, *callers):
                other.close()
            _watch(json.loads(request), *ends)
        for end in ends:
            os.close(end)


def _watch(request: dict[str, Any], stdin: int, stdout: int, stderr: int, status: int) -> None:
    """A process between: makes the worker, and tells its caller the number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    worker = os.fork()
    if worker == 0:
        os.close(status)
        _work(request, stdin, stdout, stderr)
    for end in (stdin, stdout, stderr):
        os.close(end)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, _STATUS.pack(worker))
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        os.write(status, _STATUS.pack(code))
    os._exit(0)


def _work(request: dict[str, Any], *ends: int) -> None:
    try:
        for number, end in enumerate(ends):
            os.dup2(end, number)
            os.close(end)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(request["env"])
        tempfile.tempdir = None  # what Python remembers of TMPDIR is that of the process that forks
        sys.path[:] = request["path"]
        os.chdir(request["cwd"])

        from edgekit.workflows.worker import serve

        serve()
    finally:
        os._exit(1)
