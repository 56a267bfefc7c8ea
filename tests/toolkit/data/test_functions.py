"""Functions of the user's: whatever they do, it is an error in words, and never a success."""

import textwrap
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.user_data import X, read, refusal

import edgekit
from edgekit.cli.main import main
from edgekit.data.open import open_samples
from edgekit.data.samples import DataError

ENDS = {
    "exits": ("sys.exit(0)", "SystemExit: 0"),
    "exits in words": ("sys.exit('done')", "SystemExit: done"),
    "raises": ("raise KeyError('image')", "KeyError: 'image'"),
    "closes": ("raise GeneratorExit", "GeneratorExit"),
    "stops": ("raise StopIteration(3)", "StopIteration"),
}
"""How a function can end, and how that is told."""

PLACES = {
    "as it is imported": "import sys\n{end}\ndef samples(): pass\n",
    "as it is called": "import sys\ndef samples():\n    {end}\n",
    "at a sample": """
        import sys
        import numpy as np
        def samples():
            for _ in range(5):
                yield np.zeros((1, 8, 8, 1), np.float32), [3]
            {end}
    """,
    "of a reader": """
        import sys
        class Reader:
            def get_next(self):
                {end}
        def samples():
            return Reader()
    """,
    "as it is made an array": """
        import sys
        class Lazy:
            def __array__(self, *_, **__):
                {end}
        def samples():
            return [Lazy()]
    """,
}


@pytest.fixture
def module(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the folder at hand that no other test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return f"users_{abs(hash(request.node.name))}"


@pytest.mark.parametrize(
    ("place", "end"),
    [
        (place, end)
        for place in PLACES
        for end in ENDS
        if (place, end) != ("at a sample", "stops")  # Python makes a RuntimeError of it
    ],
)
def test_code_of_the_users_cannot_end_as_a_success(
    place: str, end: str, module: str, converted: Path
) -> None:
    statement, words = ENDS[end]
    code = textwrap.dedent(PLACES[place]).replace("{end}", statement)
    Path(f"{module}.py").write_text(code)
    line = next(n for n, text in enumerate(code.splitlines(), 1) if text.strip() == statement)

    result = CliRunner().invoke(
        main, ["run", str(converted / "model_int8.onnx"), "--data", f"{module}:samples"]
    )

    assert result.exit_code == 2, result.output
    assert f"{module}:samples: {words}" in result.stderr
    assert f"{module}.py, line {line})" in result.stderr
    assert "did not foresee" not in result.stderr


@pytest.mark.parametrize("end", ["exits", "raises"])
def test_a_validation_ends_with_an_error_where_its_data_does(
    end: str, module: str, converted: Path
) -> None:
    statement, words = ENDS[end]
    Path(f"{module}.py").write_text(PLACES["as it is called"].replace("{end}", statement))
    files = [str(converted / f"model_{precision}.onnx") for precision in ("float32", "int8")]

    result = CliRunner().invoke(main, ["validate", *files, "--data", f"{module}:samples"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{module}:samples: {words}" in result.stderr


def test_a_stall_of_the_data_ends_at_the_timeout(module: str, converted: Path) -> None:
    Path(f"{module}.py").write_text(
        "import time\ndef samples():\n    time.sleep(600)\n    yield 1\n"
    )
    files = [str(converted / f"model_{precision}.onnx") for precision in ("float32", "int8")]

    result = CliRunner().invoke(
        main, ["validate", *files, "--data", f"{module}:samples", "--timeout", "3"]
    )

    assert result.exit_code == 3
    assert "reading samples: not done after 3 seconds, and stopped" in result.stderr
    assert "--timeout 30" in result.stderr


def test_a_metric_of_the_users_cannot_end_as_a_success(
    module: str, converted: Path, digits: Path
) -> None:
    Path(f"{module}.py").write_text("import sys\ndef metric(labels, outputs):\n    sys.exit(0)\n")
    files = [converted / f"model_{precision}.onnx" for precision in ("float32", "int8")]
    edgekit.validate(*files, digits / "eval.npz", samples=50, save="saved.npz")

    result = CliRunner().invoke(
        main, ["validate", "--from", "saved.npz", "--metrics", f"{module}:metric"]
    )

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"metric {module}:metric: SystemExit: 0" in result.stderr


def test_an_error_keeps_its_cause(module: str) -> None:
    Path(f"{module}.py").write_text("def samples():\n    yield {'x': [[1, 2], [3]]}\n")

    with pytest.raises(DataError, match=r"ValueError: .*inhomogeneous") as caught:
        read(open_samples(f"{module}:samples", [X]))

    assert isinstance(caught.value.__cause__, ValueError)


def test_an_interrupt_of_the_users_code_stays_one() -> None:
    def samples() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(open_samples(samples, [X]))


def test_labels_go_by_their_place_not_by_an_index_of_theirs() -> None:
    """As a Series of pandas has after shuffling: series[0] is not the first."""

    class Series:
        shape = (3,)

        def __array__(
            self, *_: object, **__: object
        ) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
            return np.array([5, 6, 7])

        def __getitem__(self, index: int) -> int:
            return {2: 5, 0: 6, 1: 7}[index]

        def __len__(self) -> int:
            return 3

    samples = read(open_samples((np.zeros((3, 3, 2)), Series()), [X]))

    assert [label for _, label in samples] == [5, 6, 7]


def test_lists_by_input_name_are_arrays() -> None:
    samples = read(open_samples({"x": [[[1, 2]] * 3] * 2, "y": [4, 5]}, [X]))

    assert [label for _, label in samples] == [4, 5]
    assert "inhomogeneous" in refusal({"x": [[1, 2], [3]]}, X)
