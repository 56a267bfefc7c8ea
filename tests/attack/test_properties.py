"""What must hold for any numbers, names and texts, not only for those that somebody thought of."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from edgekit.accuracy.limits import read_limits
from edgekit.bundle.plain import from_plain, to_plain
from edgekit.data.open import open_samples
from edgekit.data.samples import DataError
from edgekit.errors import EdgekitError
from edgekit.inference.tensor_names import input_names
from edgekit.names import names
from edgekit.project import read_project
from edgekit_runtimes import Engine, InputError, RuntimesError, Session, TensorSpec
from edgekit_runtimes.arrays import dequantize, quantize

few = settings(
    max_examples=40,
    deadline=None,
    derandomize="SEED" not in os.environ,  # the same ones each time, but in a campaign
    database=None,
    suppress_health_check=list(HealthCheck),
)
IMAGE = [TensorSpec("x", (None, 3), "float32")]
INTEGERS = ("int8", "uint8", "int16")
SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=3, max_side=5)
FLOATS = st.floats(width=32, allow_nan=False)


@contextlib.contextmanager
def or_refused(words: str, *kinds: type[Exception]) -> Iterator[None]:
    """What is in it may be refused by such an error, if its message has these words."""
    try:
        yield
    except kinds as error:
        if words not in str(error):
            raise


@st.composite
def quantized(draw: st.DrawFn) -> TensorSpec:
    kind = draw(st.sampled_from(INTEGERS))
    limits = np.iinfo(kind)
    zero = draw(st.integers(int(limits.min), int(limits.max)))
    scale = draw(st.floats(2.0**-20, 2.0**10, width=32))
    return TensorSpec("x", (None, 3), kind, scale, zero)


@few
@given(quantized(), st.data())
def test_integers_come_back_from_their_real_values(spec: TensorSpec, data: st.DataObject) -> None:
    limits = np.iinfo(spec.dtype)
    chosen = st.integers(int(limits.min), int(limits.max))
    integers = np.array(data.draw(st.lists(chosen, min_size=1, max_size=20)), spec.dtype)

    np.testing.assert_array_equal(quantize(dequantize(integers, spec), spec), integers)


@few
@given(quantized(), arrays_of.arrays(np.float32, SHAPES, elements=FLOATS))
def test_a_real_value_comes_back_within_half_a_step_or_at_the_end(
    spec: TensorSpec, real: Any
) -> None:
    assert spec.scale is not None
    limits = np.iinfo(spec.dtype)
    ends = (np.array([limits.min, limits.max], np.float64) - spec.zero_point) * spec.scale

    back = dequantize(quantize(real, spec), spec)

    nearest = np.clip(real.astype(np.float64), *ends)
    room = spec.scale * 0.5 + np.abs(nearest) * 1e-6 + spec.scale * 1e-2
    assert (np.abs(back - nearest) <= room).all()


@few
@given(
    arrays_of.arrays(
        st.sampled_from([np.float32, np.float64, np.int8, np.uint8, np.int64, np.bool_, "U3", object]),
        SHAPES,
    ),
    st.sampled_from([None, 1, 2, 3, 4]),
)  # fmt: skip
def test_a_batch_of_any_size_is_answered_sample_by_sample_or_refused(
    given: Any, size: int | None
) -> None:
    x, y = TensorSpec("x", (size, 3), "float32"), TensorSpec("y", (size,), "float32")
    model = Session("sum", Engine([x], [y], lambda a: [a[0].sum(axis=1)]), device="fake")
    if given.shape[1:] != (3,) or given.dtype.kind not in "fiub":
        with pytest.raises(InputError, match="expected"):
            model.run(given)
        return
    answers = model.run(given)
    with np.errstate(all="ignore"):
        expected = given.astype(np.float32).sum(axis=1)

    np.testing.assert_array_equal(answers, expected)
    streamed = np.array(list(model.map(given)))
    np.testing.assert_array_equal(streamed, expected)


@few
@given(st.lists(st.text(max_size=8), max_size=6))
def test_names_survive_being_written_as_one_text(chosen: list[str]) -> None:
    written = names(",".join(chosen))

    assert names(list(written)) == written == names(",".join(written))
    assert all(name and name == name.strip() and "," not in name for name in written)


@few
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4, unique=True), st.data())
def test_inputs_are_matched_one_to_one_or_not_at_all(
    wanted: list[str], data: st.DataObject
) -> None:
    """However a converter renames, orders and shapes them: never two to one, never a wrong name."""
    order = data.draw(st.permutations(wanted))
    renamed = [
        data.draw(st.sampled_from(["{}", "serving_default_{}:0", "a/{}", "other"])) for _ in order
    ]
    sizes = {name: data.draw(st.integers(1, 3)) for name in wanted}
    specs = [
        TensorSpec(how.format(n), (1, sizes[n]), "float32")
        for n, how in zip(order, renamed, strict=True)
    ]
    assume(len({s.name for s in specs}) == len(specs))
    try:
        matched = input_names({n: (sizes[n],) for n in wanted}, specs, "model")
    except DataError:
        return

    assert sorted(matched) == sorted(wanted)
    assert len(set(matched.values())) == len(wanted)
    shapes = {s.name: s.shape[1:] for s in specs}
    kept = {s.name for s, how in zip(specs, renamed, strict=True) if how == "{}"}
    for name, in_file in matched.items():
        if name in kept:
            assert in_file == name
        elif in_file not in wanted:
            assert shapes[in_file] == (sizes[name],)


@few
@given(
    arrays_of.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(3)), elements=FLOATS),
    st.booleans(),
)
def test_a_table_gives_back_the_numbers_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: Any, named: bool
) -> None:
    assume(np.isfinite(rows).all())
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    header = ["x_0,x_1,x_2"] if named else []
    path.write_text("\n".join([*header, *(",".join(map(repr, map(float, row))) for row in rows)]))
    try:
        source = open_samples(path, IMAGE)
        read = [sample["x"] for _, (sample, _) in source.read(lambda i: True)]
    except DataError:
        assert not named  # numbers that could be names are not guessed at
        return

    np.testing.assert_array_equal(read, rows)


@few
@given(st.text(max_size=200))
def test_any_text_is_a_table_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "any.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with or_refused(str(path), DataError):
        for _, (sample, _) in open_samples(path, IMAGE).read(lambda i: True):
            assert sample["x"].shape == (3,)


@few
@given(
    arrays_of.arrays(
        st.one_of(arrays_of.scalar_dtypes(), st.just(np.dtype("U4"))),
        arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.booleans(), st.sampled_from(["x", "y", "other", "y_x", "é", "a/b"]),
)  # fmt: skip
def test_any_array_in_an_archive_is_read_as_it_is_or_refused(
    tmp_path_factory: pytest.TempPathFactory, array: Any, fortran: bool, name: str
) -> None:
    path = tmp_path_factory.mktemp("npz") / "any.npz"
    np.savez(path, **{name: np.asfortranarray(array) if fortran else array})
    with or_refused(str(path), DataError), np.errstate(all="ignore"):
        read = [sample["x"] for _, (sample, _) in open_samples(path, IMAGE).read(lambda i: True)]
        numbers = array.astype(np.float32).reshape(-1, 3)
        np.testing.assert_array_equal(np.reshape(read, (-1, 3)), numbers)


VALUES = st.one_of(st.text(max_size=12), st.floats(), st.integers(), st.sampled_from(
    ["1%", "5%rel", "f1=2%", "top1@digit=0.9", "=", "@", "%", "nan%", "rmse=1e400", "f1=-0", "-1%"]
))  # fmt: skip


@few
@given(VALUES, VALUES, VALUES)
def test_any_limit_is_finite_or_refused(drop: Any, least: Any, most: Any) -> None:
    with or_refused("=", DataError):
        limits = read_limits(drop, least, most)
        assert limits.max_drop >= 0
        assert np.isfinite([limits.max_drop, *(limit.value for limit in limits.also)]).all()


@few
@given(st.text(max_size=120))
def test_any_project_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("project") / "edgekit.toml"
    path.write_bytes(f"[convert]\n{text}".encode("utf-8", "surrogatepass"))
    with or_refused("edgekit.toml", EdgekitError):
        read_project(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@few
@given(
    JSON | st.fixed_dictionaries(
        {"name": JSON, "shape": JSON, "dtype": JSON}, optional={"scale": JSON, "zero_point": JSON}
    )
)  # fmt: skip
def test_a_document_is_of_its_type_or_refused(plain: Any) -> None:
    try:
        spec = from_plain(TensorSpec, plain)
    except ValueError:
        return

    assert isinstance(spec.name, str)
    assert all(n is None or type(n) is int for n in spec.shape)
    assert from_plain(TensorSpec, to_plain(spec)).name == spec.name


@few
@given(st.binary(max_size=400), st.sampled_from([".tflite", ".onnx"]))
def test_any_bytes_are_no_model(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    """Read without a runtime: types, ends and layers."""
    from edgekit_runtimes.files import FILES

    path = tmp_path_factory.mktemp("model") / f"any{suffix}"
    head = b"\x18\0\0\0TFL3" if suffix == ".tflite" else b""
    path.write_bytes(head + content)
    for read in (FILES[suffix].types, FILES[suffix].ends):
        with or_refused(str(path), RuntimesError):
            read(path)
