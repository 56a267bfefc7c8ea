"""The pytest plugin: a fixture that holds files against their original, and a committed baseline.

    def test_int8(edgekit):
        edgekit.assert_matches("model.keras", "out/model_int8.tflite", data="eval.npz", max_drop=0.01)

pytest finds it where edgekit is installed. Nothing of edgekit's is imported before a test asks for it.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgekit.report.baseline import Entries
    from edgekit.report.file_result import FileResult
    from edgekit.report.result import Report

_BASELINE = "edgekit-baseline.json"
_MARK = "edgekit"
_MOST_LAYERS = 3

Bound = float | str | Mapping[str, float | str] | Sequence[str]


class Inconclusive(UserWarning):
    """A limit that the samples are too few to prove."""


class Gate:
    """What the fixture ``edgekit`` is."""

    def __init__(
        self,
        test: str,
        defaults: Mapping[str, Any],
        root: Path,
        state: "_State",
        properties: list[tuple[str, object]],
    ) -> None:
        self._test, self._defaults, self._root = test, defaults, root
        self._state, self._properties = state, properties

    def assert_matches(
        self,
        original: str | Path | None = None,
        candidates: str | Path | Sequence[str | Path] | None = None,
        *,
        data: Any = None,
        max_drop: Bound | None = None,
        min: Bound | None = None,
        max: Bound | None = None,
        metrics: Sequence[str] | None = None,
        devices: Sequence[str] | None = None,
        samples: int | None = None,
        scale: str | None = None,
        trust: bool | None = None,
        strict: bool | None = None,
        timeout: float | None = None,
    ) -> "Report":
        """Fails the test where a file breaks a limit, or falls below the baseline.

        What is left out comes from the test's ``edgekit`` marker, then from ``edgekit.toml``. Paths
        are looked for in the working directory, then in pytest's root.

        Args:
            original: as for ``edgekit.validate``.
            candidates: a file, or several.
            data: as for ``edgekit.validate``.
            max_drop: ``0.01``, ``"1%"``, ``"rmse=5%rel"`` or ``{"f1": "2%"}``.
            min: ``{"top1": 0.9}``.
            max: ``{"rmse": 0.5}``.
            metrics: to measure and record as well.
            devices: to run on.
            samples: the most to use.
            scale: of image files.
            trust: run code that the model file carries.
            strict: fail also where the samples prove nothing. Otherwise that is a warning.
            timeout: seconds.
        """
        __tracebackhide__ = True
        given = {
            "original": original,
            "candidates": candidates,
            "data": data,
            "max_drop": max_drop,
            "min": min,
            "max": max,
            "metrics": metrics,
            "devices": devices,
            "samples": samples,
            "scale": scale,
            "trust": trust,
            "strict": strict,
            "timeout": timeout,
        }
        asked = {**self._defaults, **{k: v for k, v in given.items() if v is not None}}
        strict = bool(asked.pop("strict", False))
        report = self._validated(asked, None)
        self._note(report)
        told = self._broken(report, strict)
        if not self._state.update:
            from edgekit.report.baseline import drops, is_known

            fallen = list(drops(self._test, report, self._state.baseline))
            if fallen and not any(file.layers for file in report.files):
                report = self._validated(asked, True)
            told += fallen
            self._state.lacking += not is_known(self._test, report, self._state.baseline)
        if told:
            pytest.fail(
                "\n".join([_heading(report), *(f"  {t}" for t in told), *_blame(report)]), False
            )
        if self._state.update:
            from edgekit.report.baseline import entries

            self._state.new |= entries(self._test, report)
        return report

    def _validated(self, asked: Mapping[str, Any], per_layer: bool | None) -> "Report":
        from edgekit import (
            ConversionError,
            DataError,
            DeviceUnavailable,
            Images,
            ModelError,
            validate,
        )
        from edgekit.accuracy.limits import read_limits

        left = dict(asked)
        try:
            missing = [
                name for name in ("original", "candidates", "data") if left.get(name) is None
            ]
            if missing:
                raise DataError(
                    f"assert_matches needs {' and '.join(missing)}: as arguments, in "
                    f"@pytest.mark.{_MARK}(...), or in edgekit.toml."
                )
            limits = read_limits(
                left.pop("max_drop", None), left.pop("min", None), left.pop("max", None)
            )
            scale = left.pop("scale", None)
            candidates = left.pop("candidates")
            several = [candidates] if isinstance(candidates, (str, Path)) else candidates
            return validate(
                self._found(left.pop("original")),
                [self._found(c) for c in several],
                self._found(left.pop("data")),
                limits=limits,
                images=Images(scale) if scale else None,
                per_layer=per_layer,
                **left,
            )
        except (ConversionError, DataError, DeviceUnavailable, ModelError) as error:
            pytest.fail(f"edgekit: {error}", False)

    def _found(self, path: Any) -> Any:
        """Where a path is: here, or in pytest's root."""
        if not isinstance(path, (str, Path)) or Path(path).exists():
            return path
        near = self._root / path
        return near if near.exists() else path

    def _note(self, report: "Report") -> None:
        """Figures for JUnit XML's properties."""
        for file in report.files:
            for score in file.results:
                for measure in score.metrics:
                    name = f"{file.title} {score.output} {measure.metric}"
                    self._properties.append((name, f"{measure.value:.6g}"))
            self._properties.append((f"{file.title} verdict", file.verdict))

    def _broken(self, report: "Report", strict: bool) -> list[str]:
        told = []
        for file in report.files:
            told += [f"{file.title}: {fault}" for fault in file.faults]
            for score in file.results:
                output = f" ({score.output})" if len(file.results) > 1 else ""
                for limit_result in score.limit_results:
                    words = f"{file.title}{output}: {limit_result.reason}"
                    if limit_result.verdict == "fail":
                        told.append(words)
                    elif limit_result.verdict == "inconclusive" and strict:
                        told.append(f"{words} (not proven, and strict)")
                    elif limit_result.verdict == "inconclusive":
                        warnings.warn(f"not proven: {words}", Inconclusive, stacklevel=3)
        return told


class _State:
    """Of a run of pytest, or of one of its workers."""

    def __init__(self, path: Path, update: bool) -> None:
        self.path, self.update = path, update
        self.new: Entries = {}
        self.lacking = 0
        self._baseline: Entries | None = None

    @property
    def baseline(self) -> "Entries":
        """Read when it is first asked for."""
        if self._baseline is None:
            from edgekit import DataError
            from edgekit.report.baseline import read_baseline

            try:
                self._baseline = read_baseline(self.path)
            except DataError as error:
                pytest.fail(f"edgekit: {error}", False)
        return self._baseline


_STATE = pytest.StashKey[_State]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("edgekit")
    group.addoption(
        "--edgekit-update",
        action="store_true",
        help=f"write what files are worth now into {_BASELINE}, to be committed",
    )
    parser.addini(
        "edgekit_baseline",
        f"the baseline's file, from pytest's root [{_BASELINE}]",
        default=_BASELINE,
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the state of this run."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(data=..., max_drop=..., ...): what edgekit.assert_matches is called with when a test "
        f"leaves it out; every test that uses the fixture has it, so that -m {_MARK} selects them",
    )
    path = config.rootpath / str(config.getini("edgekit_baseline"))
    config.stash[_STATE] = _State(path, bool(config.getoption("--edgekit-update")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that use the fixture."""
    for item in items:
        if _MARK in getattr(item, "fixturenames", ()) and not item.get_closest_marker(_MARK):
            item.add_marker(_MARK)


@pytest.fixture(name="edgekit")
def gate(request: pytest.FixtureRequest) -> Gate:
    """Holds model files against their original: ``edgekit.assert_matches(...)``."""
    from edgekit.data.samples import DataError

    root = request.config.rootpath
    try:
        defaults = _defaults(request, root)
    except DataError as error:
        pytest.fail(f"edgekit: {error}", False)
    return Gate(
        request.node.nodeid,
        defaults,
        root,
        request.config.stash[_STATE],
        request.node.user_properties,  # as record_property does, which warns of xunit2 for no reason
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its entries over; the run itself writes the baseline."""
    state = session.config.stash[_STATE]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_MARK] = json.dumps([state.new, state.lacking])
    elif state.new:
        from edgekit.report.baseline import write_baseline

        write_baseline(state.path, state.new)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what a worker hands over."""
    if told := getattr(node, "workeroutput", {}).get(_MARK):
        new, lacking = json.loads(told)
        state = node.config.stash[_STATE]
        state.new |= new
        state.lacking += lacking


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What became of the baseline."""
    state = config.stash[_STATE]
    if state.new:
        terminalreporter.write_line(
            f"edgekit: {len(state.new)} files' figures are in {state.path.name}"
        )
    elif state.lacking:
        terminalreporter.write_line(
            f"edgekit: {state.lacking} checks have no baseline; pytest --edgekit-update writes {state.path.name}"
        )


def _defaults(request: pytest.FixtureRequest, root: Path) -> dict[str, Any]:
    """What the marker and the project say."""
    import inspect

    from edgekit.data.samples import DataError
    from edgekit.errors import nearest
    from edgekit.project import FILE, read_project

    known = [name for name in inspect.signature(Gate.assert_matches).parameters if name != "self"]
    told = read_project(root / FILE).validate
    names = {"model": "original", "device": "devices", "metric": "metrics"}
    found = {names.get(key, key.replace("-", "_")): value for key, value in told.items()}
    found = {key: value for key, value in found.items() if key in known}
    for name in ("devices", "metrics"):
        if isinstance(found.get(name), str):
            found[name] = found[name].split(",")
    if "original" not in found:
        found.pop("candidates", None)
    for marker in reversed(list(request.node.iter_markers(_MARK))):
        if unknown := [name for name in marker.kwargs if name not in known]:
            raise DataError(
                f"@pytest.mark.{_MARK} takes no {unknown[0]}{nearest(unknown[0], known)}; it takes "
                f"{', '.join(known)}."
            )
        found |= marker.kwargs
    return found


def _heading(report: "Report") -> str:
    return f"against {report.model}, on {report.evaluated_on:,} samples of {report.data}:"


def _blame(report: "Report") -> list[str]:
    """The layers that add most noise, a line each, and what else is known to be wrong."""
    lines = [f"  warning: {w}" for f in report.files for w in f.warnings]
    for file in report.files:
        if file.layers:
            lines.append(f"  most of the noise in {file.title}: {_layers(file)}")
    return lines


def _layers(file: "FileResult") -> str:
    from edgekit.diagnosis.layers import worst_layers

    return "; ".join(
        f"{layer.name} {layer.noise_added:.0%}" + (f" ({layer.cause})" if layer.cause else "")
        for layer in worst_layers(file.layers, _MOST_LAYERS)
        if layer.noise_added > 0.01
    )
