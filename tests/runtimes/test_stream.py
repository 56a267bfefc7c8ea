"""Work in order by several threads, with plain functions; and how many processors there are."""

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit_runtimes import cpu_limit
from edgekit_runtimes.stream import in_order

Work = Callable[[list[Any]], list[Any]]
MOST = 64
"""The longest piece that a worker takes at once."""

pytestmark = pytest.mark.timeout(60)


def waits(seconds: float) -> Work:
    """A worker that takes some time for each item, and no processor."""

    def work(piece: list[int]) -> list[int]:
        time.sleep(seconds * len(piece))
        return [2 * item for item in piece]

    return work


def wait_until(condition: Callable[[], bool], seconds: float = 3) -> bool:
    """Waits for another thread's work: however busy the machine, it only takes long where it fails."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.0005)
    return met


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 64, 1001])
@pytest.mark.parametrize("seconds", [0, 2e-4])
@pytest.mark.parametrize("size", [1, 4])
def test_every_result_comes_once_and_in_order(count: int, seconds: float, size: int) -> None:
    workers = [waits(seconds)] * 3
    assert list(in_order(range(count), workers, size)) == [2 * i for i in range(count)]


def test_order_is_kept_where_later_work_is_done_earlier() -> None:
    def uneven(piece: list[int]) -> list[int]:
        time.sleep(0.003 if piece[0] % 2 else 0.0002)
        return piece

    assert list(in_order(range(200), [uneven] * 4)) == list(range(200))


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_work_at_once(workers: int) -> None:
    """Every one of them waits until all are at work."""
    everybody = threading.Barrier(workers)
    caller = threading.get_ident()

    def meets(piece: list[int]) -> list[int]:
        time.sleep(0.002 * len(piece))  # too much work for the caller's own thread
        if threading.get_ident() != caller and not met.is_set():
            with contextlib.suppress(threading.BrokenBarrierError):
                everybody.wait(20)
                met.set()
        return piece

    met = threading.Event()
    assert list(in_order(range(200), [meets] * workers)) == list(range(200))
    assert met.is_set()


def test_quick_work_stays_in_the_thread_of_the_caller() -> None:
    seen = set()

    def quick(piece: list[int]) -> list[int]:
        seen.add(threading.get_ident())
        return piece

    assert len(list(in_order(range(1000), [quick] * 4))) == 1000
    assert seen == {threading.get_ident()}


@pytest.mark.parametrize("seconds", [0, 2e-4, 3e-3])
def test_the_source_is_read_only_a_little_ahead(seconds: float) -> None:
    read = ahead = 0

    def endless() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    for given, _ in enumerate(in_order(endless(), [waits(seconds)] * 2), 1):
        ahead = max(ahead, read - given)
        if given % 100 == 0:
            time.sleep(0.01)  # time to read on, for whoever would
        if given == 400:
            break
    # Four pieces for each worker, one in its hands, and one that is being handed on. On a busy machine even
    # work that takes no time is worth threads.
    assert ahead <= (MOST if seconds < 1e-3 else 2) * (4 * 2 + 2)
    time.sleep(0.01)  # for whoever is in the source just now
    stopped = read
    time.sleep(0.01)
    assert read == stopped


def test_breaking_off_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    for _ in range(20):
        for result in in_order(itertools.count(), [waits(5e-4)] * 3):
            if result == 40:
                break
    # Fewer, where a thread of an earlier test was still ending.
    assert wait_until(lambda: threading.active_count() <= before, 5)


@pytest.mark.parametrize("seconds", [0, 2e-4, 3e-3])
@pytest.mark.parametrize("good", [0, 2, 57])
def test_what_the_source_raises_comes_behind_the_results_before_it(
    seconds: float, good: int
) -> None:
    def breaks() -> Iterator[int]:
        yield from range(good)
        raise OSError("the camera is gone")

    results: list[int] = []
    with pytest.raises(OSError, match="the camera is gone"):
        results.extend(in_order(breaks(), [waits(seconds)] * 2))
    assert results == [2 * i for i in range(good)]


def test_a_source_that_ends_the_program_does_not_look_like_its_end() -> None:
    def leaves() -> Iterator[int]:
        yield from range(50)
        sys.exit(3)

    with pytest.raises(SystemExit):
        list(in_order(leaves(), [waits(5e-4)] * 2))


def test_what_a_worker_raises_comes_behind_the_results_of_other_pieces() -> None:
    def fussy(piece: list[int]) -> list[int]:
        time.sleep(0.005)  # long enough that a piece is one item
        if 30 in piece:
            raise ValueError("not 30")
        return piece

    results: list[int] = []
    with pytest.raises(ValueError, match="not 30"):
        results.extend(in_order(range(100), [fussy] * 3))
    assert results == list(range(30))


@pytest.mark.parametrize("seconds", [0, 1e-3, 3e-3])
def test_a_slow_source_has_its_result_before_the_item_after_next(seconds: float) -> None:
    given: list[int] = []
    late: list[int] = []

    def slow() -> Iterator[int]:
        for i in range(20):
            time.sleep(0.002)
            if not wait_until(lambda: len(given) >= i - 1):  # noqa: B023
                late.append(i - 2)
            yield i

    for result in in_order(slow(), [waits(seconds)] * 2):
        given.append(result)
    assert given == [2 * i for i in range(20)]
    assert late == []


@pytest.mark.parametrize("seconds", [0, 1e-3, 3e-3])
def test_results_of_a_burst_do_not_wait_for_the_next_burst(seconds: float) -> None:
    given: list[int] = []
    waiting: list[int] = []

    def bursts() -> Iterator[int]:
        for start in range(0, 24, 3):
            yield from range(start, start + 3)
            wait_until(lambda: len(given) >= start + 3)  # noqa: B023
            waiting.append(start + 3 - len(given))

    for result in in_order(bursts(), [waits(seconds)] * 2):
        given.append(result)
    assert given == [2 * i for i in range(24)]
    assert waiting == [0] * 8


def quota(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


AVAILABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n"}, None),
        ({"cpu.max": "rubbish"}, None),
        ({"cpu.max": ""}, None),
        ({"cpu.max": "50000 0"}, None),
        ({}, None),
    ],
)
def test_processors_are_those_that_the_container_may_use(
    tmp_path: Path, files: dict[str, str], most: int | None
) -> None:
    assert cpu_limit(quota(tmp_path, files)) == min(AVAILABLE or 1, most or AVAILABLE or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no processes")
def test_processors_are_those_that_the_process_is_pinned_to(tmp_path: Path) -> None:
    quota(tmp_path, {"cpu.max": "400000 100000"})
    code = (
        "import os, pathlib, sys; from edgekit_runtimes import cpu_limit; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "print(cpu_limit(pathlib.Path(sys.argv[1])), cpu_limit())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]
