"""``Engine`` is the seam: a session of any function, in a few lines and without a file."""

import threading
import typing
from collections.abc import Mapping

import numpy as np
import pytest

from edgekit_runtimes import (
    Engine,
    InputError,
    ModelError,
    Operator,
    Placement,
    Session,
    TensorSpec,
)


def session(inputs: int = 1, outputs: int = 1, **options: typing.Any) -> Session:
    """Each output is the sum of all inputs, times its number."""
    engine = Engine(
        [TensorSpec(f"x{i}", (None, 3), "float32") for i in range(inputs)],
        [TensorSpec(f"y{i}", (None, 3), "float32") for i in range(outputs)],
        lambda arrays: [(i + 1) * sum(arrays) for i in range(outputs)],  # type: ignore[misc]
        **options,
    )
    return Session("sums", engine, device="fake")


X = np.ones((2, 3), np.float32)


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("outputs", [1, 2])
def test_arrays_by_name_give_arrays_by_name(inputs: int, outputs: int) -> None:
    model = session(inputs, outputs)
    named = {f"x{i}": X for i in range(inputs)}
    result = model.run(named)
    assert {name: y.tolist() for name, y in result.items()} == {
        f"y{i}": ((i + 1) * inputs * X).tolist() for i in range(outputs)
    }
    samples = [{name: x[i] for name, x in named.items()} for i in range(2)]
    for i, sample in enumerate(model.map(samples)):
        assert {n: y.tolist() for n, y in sample.items()} == {
            n: y[i].tolist() for n, y in result.items()
        }


def test_a_bare_array_gives_a_bare_array() -> None:
    for batch in (X, X.astype(np.float64), X[:1]):
        assert type(session().run(batch)) is np.ndarray
        assert all(type(y) is np.ndarray for y in session().map(batch))


@pytest.mark.parametrize(
    ("inputs", "outputs", "counts"),
    [
        (1, 2, "1 input and 2 outputs"),
        (2, 1, "2 inputs and 1 output"),
        (2, 2, "2 inputs and 2 outputs"),
    ],
)
def test_a_bare_array_is_refused_where_names_are_needed(
    inputs: int, outputs: int, counts: str
) -> None:
    model = session(inputs, outputs)
    with pytest.raises(InputError, match=rf"sums has {counts}: pass arrays by name, .*'x0'"):
        model.run(X)
    with pytest.raises(InputError, match=rf"sums has {counts}: pass arrays by name"):
        list(model.map(X))


@pytest.mark.parametrize("method", [Session.run, Session.map])
def test_the_types_say_what_comes_back(method: typing.Any) -> None:
    """Mapping to dict and array to array, with no third case: as the tests above find it."""
    declared = [typing.get_type_hints(o) for o in typing.get_overloads(method)]
    ends = [
        (hints["x" if method is Session.run else "samples"], hints["return"]) for hints in declared
    ]
    if method is Session.map:
        ends = [(typing.get_args(given)[0], typing.get_args(result)[0]) for given, result in ends]
    assert [(typing.get_origin(given), typing.get_origin(result)) for given, result in ends] == [
        (Mapping, dict),
        (np.ndarray, np.ndarray),
    ]


def test_what_an_engine_leaves_out_has_a_default() -> None:
    with session() as model:
        assert (model.simulated, model.threads, model.device) == (False, 1, "fake")
        assert model.placement.operators == ()
        assert str(model.placement) == "unknown on unknown: no operator is known"


def test_an_engine_is_closed_once_and_runs_no_more() -> None:
    closed: list[int] = []
    model = session(close=lambda: closed.append(1))
    model.close()
    model.close()
    assert closed == [1]
    with pytest.raises(ModelError, match="sums is closed"):
        model.run(X)


@pytest.mark.parametrize("concurrent", [True, False])
def test_calls_are_side_by_side_only_where_the_engine_allows_it(concurrent: bool) -> None:
    inside, most = 0, 0
    lock, met = threading.Lock(), threading.Event()

    def call(arrays: typing.Sequence[np.ndarray]) -> list[np.ndarray]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == 2:
                met.set()
        met.wait(5 if concurrent else 0.05)  # for the other thread, where that may come
        with lock:
            inside -= 1
        return [arrays[0]]

    spec = TensorSpec("x", (None, 3), "float32")
    engine = Engine([spec], [spec], call, concurrent=concurrent)
    model = Session("meeting", engine, device="fake")
    threads = [threading.Thread(target=model.run, args=(X,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == (2 if concurrent else 1)


def test_a_notebook_shows_a_placement_as_an_escaped_table() -> None:
    operators = [
        Operator("CONV_2D", "GPU", "float32", macs=300),
        Operator("CONV_2D", "GPU", "float32", macs=100),
        Operator("<b>", "CPU", "int8"),
    ]
    placement = Placement("webgpu", "A&B", "GPU", operators, reasons={"<b>": "no <kernel>"})
    html = placement._repr_html_()
    assert "<td>GPU</td><td>CONV_2D</td><td>float32</td><td>2</td><td>100.0%</td>" in html
    assert "<td>CPU</td><td>&lt;b&gt;</td><td>int8</td><td>1</td><td></td>" in html
    assert "A&amp;B" in html
    assert "no &lt;kernel&gt;" in html
    assert "<b>" not in html
