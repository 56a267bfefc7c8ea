"""The places to compute: their table, and what is computed here."""

import contextlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import OptionError
from edgekit.inference.executors import (
    EXECUTORS,
    ExecutorKind,
    LocalExecutor,
    check_engine,
    open_executor,
)
from edgekit.inference.place import Place, Shared
from edgekit_runtimes import RuntimeMissing


class Opened:
    """What a place keeps open."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def length(item: Shared, place: Place) -> int:
    return len(place.path(item).read_bytes())


def test_items_are_computed_in_order_as_they_are_read(tmp_path: Path) -> None:
    read: list[int] = []
    told: list[int] = []
    names = ["a", "bb", "ccc"]

    with open_executor("local") as executor:

        def items() -> Iterator[Shared]:
            for number, name in enumerate(names):
                read.append(number)
                (tmp_path / name).write_text(name)
                yield executor.share(tmp_path / name)

        results = executor.map(length, items(), told.append)
        assert next(results) == 1
        assert (read, told) == ([0], [1])
        assert list(results) == [2, 3]

    assert told == [1, 2, 3]


def test_what_a_function_keeps_stays_open_until_the_end() -> None:
    made: list[Opened] = []

    def make() -> Opened:
        made.append(Opened())
        return made[-1]

    def work(item: int, place: Place) -> bool:
        return place.keep("session", "model", make).closed

    with open_executor("local") as executor:
        assert list(executor.map(work, range(3))) == [False] * 3
        assert [opened.closed for opened in made] == [False]

    assert [opened.closed for opened in made] == [True]


def test_what_comes_next_into_a_slot_closes_what_was_there() -> None:
    place = Place(lambda shared: shared.folder, cores=1)
    first = place.keep("session", "int8", Opened)
    beside = place.keep("other", "int8", Opened)
    second = place.keep("session", "float32", Opened)

    assert place.keep("session", "float32", Opened) is second
    assert [o.closed for o in (first, beside, second)] == [True, False, False]
    place.close()
    assert beside.closed and second.closed


def test_another_place_to_compute_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pickling(LocalExecutor):
        """Gives items the form in which they would travel."""

        name, elsewhere, width = "pickling", True, 2

        def map(
            self,
            function: Callable[[Any, Place], Any],
            items: Iterable[Any],
            finished: Callable[[int], None] = lambda count: None,
        ) -> Iterator[Any]:
            return super().map(function, (pickle.loads(pickle.dumps(i)) for i in items), finished)

    kind = ExecutorKind(lambda _: contextlib.nullcontext(Pickling()))
    monkeypatch.setitem(EXECUTORS, "pickling", kind)

    with open_executor("pickling") as executor:
        assert list(executor.map(lambda item, place: item + 1, [1, 2])) == [2, 3]


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("dsk=host:8786", "did you mean 'dask'"),
        ("", "choose from local, dask=HOST:PORT"),
        ("local=2", "choose from local"),
        ("dask", "dask=HOST:PORT"),
        ("dask=host", "dask=HOST:PORT"),
        ("dask=:8786", "dask=HOST:PORT"),
        ("dask=host:0", "dask=HOST:PORT"),
        ("dask=host:65536", "dask=HOST:PORT"),
        ("dask=http://host:8786", "dask=HOST:PORT"),
        ("dask=host:8786/path", "dask=HOST:PORT"),
        (None, "choose from"),
    ],
)
def test_an_engine_that_there_is_not_is_an_error_of_the_option(engine: Any, words: str) -> None:
    with pytest.raises(OptionError, match="engine=") as caught:
        check_engine(engine)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "engine",
    ["local", "dask=host:8786", "dask=10.0.0.5:1", "dask=[::1]:8786", "dask=tls://a.b-c.de:65535"],
)
def test_an_engine_is_known_by_its_form(engine: str) -> None:
    check_engine(engine)


def test_a_missing_package_is_named_with_the_line_that_adds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = ExecutorKind(EXECUTORS["local"].open, modules=("no_such_module",), extra="cluster")
    monkeypatch.setitem(EXECUTORS, "elsewhere", kind)

    with pytest.raises(RuntimeMissing, match=r"pip install 'edgekit-toolkit\[cluster\]'"):
        check_engine("elsewhere")
