"""Work in a child process: what comes back, whatever becomes of the child."""

import fcntl
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.workflows.worker import WorkerError, run_in_worker

pytestmark = pytest.mark.fresh_worker

ERRANDS = '''
import ctypes
import fcntl
import os
import signal
import sys
import time


class Refused(Exception):
    """It survives the trip."""


class Unportable(Exception):
    """It does not: what is pickled is its message alone, and it takes two arguments."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")


class Local:
    def __reduce__(self):
        reason = "this object stays where it is"
        raise TypeError(reason, reason)


def add(a, b, *, progress, ask):
    return a + b


def process_id(*, progress, ask):
    return os.getpid()


def report_steps(*, progress, ask):
    for step in ("first", "second", "third"):
        progress(step)


def ask_twice(*, progress, ask):
    return [ask(("double", 21)), ask(("repeat", "ab" * 500_000))]


def refuse(*, progress, ask):
    raise Refused("not today", 42)


def refuse_because(module, *, progress, ask):
    import importlib
    from tblib import pickling_support

    pickling_support.install()
    try:
        raise importlib.import_module(module).Cause("of a library")
    except Exception as error:
        raise Refused("not today") from error


def fail_unportably(*, progress, ask):
    raise Unportable(7, "out of luck")


def return_unportably(*, progress, ask):
    return {"large": b"x" * 1_000_000, "local": Local()}


def crash(how, *, progress, ask):
    progress("translating to ONNX")
    {
        "segfault": lambda: ctypes.string_at(0),
        "abort": os.abort,
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "exit": lambda: os._exit(7),
    }[how]()


def print_everywhere(*, progress, ask):
    print("by print")
    print("by print on stderr", file=sys.stderr)
    os.write(1, b"by native code on 1\\n")
    os.write(2, b"by native code on 2\\n")
    os.system("echo by a process of its own")
    return "the answer"


def read_keyboard(*, progress, ask):
    try:
        return input()
    except EOFError:
        return "nobody is there"


def hold(path, *, progress, ask):
    """Locks a file until this process ends, however it ends."""
    file = open(path, "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    progress("holding")
    file.write("held")
    file.flush()
    ask("?")
    time.sleep(60)
'''


@pytest.fixture(scope="module")
def errands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module that both processes can import."""
    folder = tmp_path_factory.mktemp("errands")
    (folder / "errands.py").write_text(ERRANDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("errands")
        del sys.modules["errands"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def was_held(path: Path) -> bool:
    return path.exists() and path.read_text() == "held"


def is_held(path: Path) -> bool:
    """Whether ``hold`` is still alive; unlike a process id, a lock is let go by a zombie, too."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def run_script(script: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, script],
        cwd=script.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_the_function_returns_comes_back(errands: Any, log: Path) -> None:
    assert run_in_worker(errands.add, [1, 2], [3], log=log) == [1, 2, 3]


def test_the_function_runs_in_a_process_of_its_own(errands: Any, log: Path) -> None:
    assert run_in_worker(errands.process_id, log=log) != os.getpid()


def test_steps_are_told_in_order(errands: Any, log: Path) -> None:
    steps: list[str] = []

    run_in_worker(errands.report_steps, log=log, progress=steps.append)

    assert steps == ["first", "second", "third"]


def test_questions_are_answered_in_the_callers_process(errands: Any, log: Path) -> None:
    asked_in = []

    def answer(question: tuple[str, Any]) -> Any:
        asked_in.append(os.getpid())
        return question[1] * 2

    # The second question and its answer are larger than a pipe holds.
    assert run_in_worker(errands.ask_twice, log=log, answer=answer) == [42, "ab" * 1_000_000]
    assert asked_in == [os.getpid()] * 2


def test_an_exception_comes_back_as_it_was_raised(errands: Any, log: Path) -> None:
    with pytest.raises(errands.Refused) as caught:
        run_in_worker(errands.refuse, log=log)

    assert type(caught.value) is errands.Refused
    assert caught.value.args == ("not today", 42)
    assert "in refuse" in log.read_text()  # its traceback


def test_what_caused_an_exception_is_in_the_log_and_does_not_import_its_library(
    errands: Any, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noisy_library.py").write_text("class Cause(Exception):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(errands.Refused) as caught:
        run_in_worker(errands.refuse_because, "noisy_library", log=log)
    assert caught.value.args == ("not today",)
    assert "noisy_library" not in sys.modules
    assert "noisy_library.Cause: of a library" in log.read_text()


def test_an_exception_that_cannot_travel_comes_back_in_words(errands: Any, log: Path) -> None:
    with pytest.raises(WorkerError, match="Unportable: 7: out of luck"):
        run_in_worker(errands.fail_unportably, log=log)


def test_a_result_that_cannot_travel_is_an_error(errands: Any, log: Path) -> None:
    with pytest.raises(TypeError) as caught:
        run_in_worker(errands.return_unportably, log=log)

    # Whole, although half of the result was on its way before the error.
    assert caught.value.args == ("this object stays where it is",) * 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("segfault", r"native code crashed \(SIGSEGV\)"),
        ("abort", r"native code crashed \(SIGABRT\)"),
        ("kill", "most likely because memory ran out"),
        ("exit", "ended with status 7"),
    ],
)
def test_a_death_is_a_message_that_names_the_step(
    how: str, words: str, errands: Any, log: Path
) -> None:
    with pytest.raises(WorkerError, match=f"^translating to ONNX: .*{words}"):
        run_in_worker(errands.crash, how, log=log)


def test_a_worker_that_takes_too_long_is_stopped(errands: Any, log: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"^holding: not done after 3 seconds, and stopped"):
        run_in_worker(errands.hold, tmp_path / "lock", log=log, timeout=3)

    assert was_held(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")


def test_an_answer_that_takes_too_long_is_not_waited_for(
    errands: Any, log: Path, tmp_path: Path
) -> None:
    def answer(question: str) -> None:
        time.sleep(60)

    with pytest.raises(WorkerError, match=r"^reading: not done after 3 seconds, and stopped"):
        run_in_worker(
            errands.hold, tmp_path / "lock", log=log, timeout=3, answer=answer, answering="reading"
        )

    assert not is_held(tmp_path / "lock")


def test_a_worker_that_is_quick_enough_is_not_stopped(errands: Any, log: Path) -> None:
    assert run_in_worker(errands.add, 1, 2, log=log, timeout=60) == 3


@pytest.mark.parametrize("timeout", [None, 60])
def test_an_exception_of_the_answer_ends_the_call_and_the_worker(
    timeout: float | None, errands: Any, log: Path, tmp_path: Path
) -> None:
    def answer(question: str) -> str:
        assert is_held(tmp_path / "lock")
        raise LookupError(f"no answer to {question}")

    with pytest.raises(LookupError, match=r"no answer to \?"):
        run_in_worker(errands.hold, tmp_path / "lock", log=log, answer=answer, timeout=timeout)

    assert not is_held(tmp_path / "lock")


def test_all_that_is_printed_goes_to_the_log(
    errands: Any, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_in_worker(errands.print_everywhere, log=log) == "the answer"

    lines = log.read_text().splitlines()
    for line in (
        "by print",
        "by print on stderr",
        "by native code on 1",
        "by native code on 2",
        "by a process of its own",
    ):
        assert line in lines
    assert capfd.readouterr() == ("", "")


def test_the_log_holds_nothing_but_what_the_function_printed(errands: Any, log: Path) -> None:
    """It is shown to a user whose conversion failed."""
    run_in_worker(errands.add, 1, 2, log=log)

    assert log.read_text() == ""


def test_the_log_keeps_what_it_held(errands: Any, log: Path) -> None:
    log.write_text("from before\n")

    run_in_worker(errands.print_everywhere, log=log)

    assert log.read_text().startswith("from before\n")
    assert "by print\n" in log.read_text()


def test_a_function_that_reads_the_keyboard_is_told_that_nobody_is_there(
    errands: Any, log: Path
) -> None:
    assert run_in_worker(errands.read_keyboard, log=log, timeout=5) == "nobody is there"


@pytest.mark.usefixtures("errands")
def test_nothing_of_the_callers_script_runs_in_the_worker(tmp_path: Path) -> None:
    """So a script needs no ``if __name__ == "__main__"``, as multiprocessing would want."""
    script = tmp_path / "script.py"
    script.write_text(
        "import errands\n"
        "from pathlib import Path\n"
        "from edgekit.workflows.worker import run_in_worker\n"
        "with open('runs', 'a') as runs:\n"
        "    runs.write('once ')\n"
        "print(run_in_worker(errands.add, 1, 2, log=Path('log')))\n"
    )

    done = run_script(script)

    assert done.communicate(timeout=60) == ("3\n", "")
    assert (tmp_path / "runs").read_text() == "once "


@pytest.mark.usefixtures("errands")
def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import errands, time\n"
        "from pathlib import Path\n"
        "from edgekit.workflows.worker import run_in_worker\n"
        "run_in_worker(errands.hold, 'lock', log=Path('log'), answer=lambda q: time.sleep(60))\n"
    )
    lock = tmp_path / "lock"
    parent = run_script(script)
    try:
        assert within(30, lambda: was_held(lock))
        assert is_held(lock)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()

    assert within(5, lambda: not is_held(lock))
