"""Options of convert and validate: declared once, and the same in Python, shell, TOML and pytest."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import click
import pytest
from click.testing import CliRunner

import edgekit
from edgekit.cli.main import COMMANDS
from edgekit.cli.options import options_of, typed
from edgekit.errors import OptionError
from edgekit.options.declared import (
    ConvertCommand,
    ConvertOptions,
    SavedOptions,
    ValidateCommand,
    ValidateOptions,
)
from edgekit.options.kinds import Switch, Whole
from edgekit.options.option import Option
from edgekit.options.tune import TuneCommand, TuneOptions
from edgekit.options.values import options_in, resolve, with_options
from edgekit.project import key_of, schema
from edgekit.pytest_gate import ARGUMENTS, Gate

FUNCTIONS: list[tuple[Callable[..., Any], type]] = [
    (edgekit.convert, ConvertOptions),
    (edgekit.tune, TuneOptions),
    (edgekit.validate, ValidateOptions),
    (edgekit.validate_saved, SavedOptions),
    (Gate.assert_matches, ValidateOptions),
]


class MoreOptions(ConvertOptions, total=False):
    """An option that there is not yet."""

    fast: Annotated[bool, Option(Switch(), "Be quick about it.", False)]
    passes: Annotated[int, Option(Whole(1, 9), "How often.", 2)]


def test_one_field_makes_a_flag_a_parameter_and_a_default() -> None:
    @click.command()
    @options_of(MoreOptions)
    def command(**given: Any) -> None:
        click.echo(repr(typed(given)))

    @with_options(MoreOptions)
    def function(model: str, **options: Any) -> Mapping[str, Any]:
        """Do it.

        {options}
        """
        return resolve(MoreOptions, options)

    run = CliRunner().invoke
    assert run(command, ["--fast", "--passes", "3"]).output == "{'fast': True, 'passes': 3}\n"
    assert "'--passes': 10: a number from 1 to 9" in run(command, ["--passes", "10"]).output
    assert "Be quick about it." in run(command, ["--help"]).output
    assert function("m")["passes"] == 2
    assert function("m", fast=True)["fast"] is True
    assert inspect.signature(function).parameters["passes"].default == 2
    assert "passes: How often. [default: 2]" in (inspect.getdoc(function) or "")


@pytest.mark.parametrize(("function", "options"), FUNCTIONS)
def test_help_shows_every_option_with_its_default(
    function: Callable[..., Any], options: type
) -> None:
    parameters = inspect.signature(function).parameters
    for name, option in options_in(options).items():
        assert parameters[name].default == option.default
        assert f"{name}: {option.help}" in (function.__doc__ or "")
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())


@pytest.mark.parametrize(
    ("name", "options"),
    [("convert", ConvertCommand), ("tune", TuneCommand), ("validate", ValidateCommand)],
)
def test_every_option_is_a_flag_and_a_key(name: str, options: type) -> None:
    parameters = {parameter.name for parameter in COMMANDS[name].params}
    assert set(options_in(options)) <= parameters
    assert list(map(key_of, options_in(options))) == list(
        schema()["properties"][name]["properties"]
    )


def test_the_pytest_marker_takes_every_option_of_validate() -> None:
    assert set(ARGUMENTS) == {"original", "candidates", "data", "strict"} | set(
        options_in(ValidateOptions)
    )


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("precision", "int8", ("int8",)),
        ("precision", "int8, float32", ("float32", "int8")),
        ("precision", ["float16"], ("float16",)),
        ("to", "onnx", ("onnx",)),
        ("to", ("onnx", "tflite", "onnx"), ("tflite", "onnx")),
        ("labels", ["cat", "dog"], ("cat", "dog")),
        ("scale", None, None),
        ("scale", "caffe", "caffe"),
        ("max_drop", 0.02, ("0.02",)),
        ("max_drop", {"f1": "2%"}, ("f1=2%",)),
        ("min", "top1=0.9", ("top1=0.9",)),
        ("timeout", 3, 3.0),
        ("batch", "4", 4),
    ],
)
def test_texts_and_sequences_are_taken_alike(name: str, given: Any, expected: Any) -> None:
    resolved = resolve(ConvertOptions, {name: given})
    assert resolved[name] == expected
    assert resolve(ConvertOptions, resolved) == resolved, "what is resolved stays as it is"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("metrics", "f1", ("f1",)),
        ("metrics", (), ()),
        ("devices", "cpu,gpu", ("cpu", "gpu")),
        ("save", "kept.npz", Path("kept.npz")),
        ("per_layer", None, None),
    ],
)
def test_so_are_those_of_validate(name: str, given: Any, expected: Any) -> None:
    assert resolve(ValidateOptions, {name: given})[name] == expected


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, None), (90, 90.0), ("90s", 90.0), ("10min", 600.0), ("1.5 h", 5400.0), ("2m", 120.0)],
)
def test_a_duration_is_read_as_people_write_it(given: Any, seconds: float | None) -> None:
    assert resolve(TuneOptions, {"budget": given})["budget"] == seconds


@pytest.mark.parametrize("given", ["0s", "-1min", "soon", "min", "nan", "infh", True])
def test_what_is_no_duration_is_refused(given: Any) -> None:
    with pytest.raises(OptionError, match="a time above 0 is wanted, as 90s, 10min"):
        resolve(TuneOptions, {"budget": given})


def test_class_names_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n", encoding="utf-8")
    assert resolve(ConvertOptions, {"labels": tmp_path / "names.txt"})["labels"] == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("precision", "int4", "precision='int4': choose from float32, float16, dynamic"),
        ("precision", "int8,int4", "precision='int8,int4': int4: choose from float32, float16"),
        ("precision", [], "precision=[]: at least one is wanted of float32"),
        ("precision", 8, "a name, or a list of names"),
        ("to", "coreml", "choose from tflite, onnx"),
        ("batch", 0, "batch=0: 1 or more is wanted"),
        ("batch", 1.5, "a whole number is wanted"),
        ("opset", 20, "opset=20: a number from 13 to 19 is wanted"),
        ("io", "int16", "io='int16': choose from float, int8"),
        ("scale", "0..2", "choose from 0..1, -1..1, 0..255, caffe, torch"),
        ("trust", "yes", "true or false is wanted"),
        ("timeout", 0, "a number of seconds above 0 is wanted"),
        ("max_drop", True, 'max_drop=True: 0.01, "1%"'),
        ("labels", "nowhere.txt", "nowhere.txt"),
        ("labels", 3, "a list of names, or a text file's path"),
    ],
)
def test_a_wrong_value_is_named_with_the_choices(name: str, given: Any, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve(ConvertOptions, {name: given})
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_wrong_name_is_a_type_error_with_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"argument 'precison' \(did you mean 'precision'\?\)"):
        edgekit.convert("m.keras", precison="int8")  # type: ignore[call-arg]
