"""What the pytest fixture ``edgekit`` is: model files compared with their original, or the test fails."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pytest

from edgekit.errors import errors, nearest
from edgekit.options.declared import ValidateOptions
from edgekit.options.values import options_in, with_options

if TYPE_CHECKING:
    from edgekit.report.baseline import Entries
    from edgekit.report.file_result import FileResult
    from edgekit.report.result import Report

MARK = "edgekit"
ARGUMENTS = ("original", "candidates", "data", "strict", *options_in(ValidateOptions))
"""What ``assert_matches`` and the marker take."""

_MOST_LAYERS = 3


class Inconclusive(UserWarning):
    """A limit that the samples are too few to decide."""


class Baseline:
    """The committed baseline, and what this run of pytest adds to it."""

    def __init__(self, path: Path, *, update: bool, named: bool) -> None:
        self.path, self.update, self._named = path, update, named
        self.new: Entries = {}
        self.lacking = 0
        self._entries: Entries | None = None

    @property
    def wanted(self) -> bool:
        """Whether the project has a baseline, or names where it is to be."""
        return self._named or self.path.is_file()

    @property
    def entries(self) -> "Entries":
        """What is committed, read when it is first asked for."""
        if self._entries is None:
            from edgekit.report.baseline import read_baseline

            self._entries = read_baseline(self.path)
        return self._entries


class Gate:
    """Model files against their original, for one test."""

    def __init__(
        self,
        test: str,
        defaults: Mapping[str, Any],
        root: Path,
        baseline: Baseline,
        properties: list[tuple[str, object]],
    ) -> None:
        self._test, self._defaults, self._root = test, defaults, root
        self._baseline, self._properties = baseline, properties

    @with_options(ValidateOptions)
    def assert_matches(
        self,
        original: Any = None,
        candidates: str | Path | Sequence[str | Path] | None = None,
        *,
        data: Any = None,
        strict: bool | None = None,
        **options: Unpack[ValidateOptions],
    ) -> "Report":
        """Fail the test where a file exceeds a limit, or drops below the baseline.

        What is left out comes from the test's ``edgekit`` marker, then from ``edgekit.toml``. Paths
        are looked for in the working directory, then in pytest's root.

        Args:
            original: as for ``edgekit.validate``.
            candidates: files, and folders that ``convert`` made.
            data: samples, as for ``edgekit.validate``.
            strict: fail also where samples are too few to decide. Otherwise that is a warning.
            {options}
        """
        __tracebackhide__ = True
        given: dict[str, Any] = {
            "original": original,
            "candidates": candidates,
            "data": data,
            "strict": strict,
            **options,
        }
        wanted = {**self._defaults, **{k: v for k, v in given.items() if v is not None}}
        strict = bool(wanted.pop("strict", False))
        try:
            report, faults = self._evaluate(wanted, strict)
        except errors() as error:
            pytest.fail(f"edgekit: {error}", False)
        if faults:
            lines = [_heading(report), *(f"  {fault}" for fault in faults), *_causes(report)]
            pytest.fail("\n".join(lines), False)
        if self._baseline.update:
            from edgekit.report.baseline import entries

            self._baseline.new |= entries(self._test, report)
        return report

    def _evaluate(self, wanted: Mapping[str, Any], strict: bool) -> tuple["Report", list[str]]:
        """The report, and a line for each limit exceeded and each fall below the baseline."""
        from edgekit import DataError, validate
        from edgekit.report.baseline import drops, is_known

        rest = dict(wanted)
        names = ("original", "candidates", "data")
        if missing := [name for name in names if rest.get(name) is None]:
            raise DataError(
                f"assert_matches needs {' and '.join(missing)}: as arguments, in "
                f"@pytest.mark.{MARK}(...), or in edgekit.toml."
            )
        original, candidates, data = (self._located(rest.pop(name)) for name in names)
        report = validate(original, candidates, data, **rest)
        self._record(report)
        faults = list(_exceeded(report, strict))
        if not self._baseline.update:
            fallen = list(drops(self._test, report, self._baseline.entries))
            if fallen and not any(file.layers for file in report.files):
                rest["per_layer"] = True
                report = validate(original, candidates, data, **rest)
            faults += fallen
            self._baseline.lacking += not is_known(self._test, report, self._baseline.entries)
        return report, faults

    def _located(self, path: Any) -> Any:
        """A path in the working directory, or else in pytest's root."""
        if isinstance(path, (list, tuple)) and all(isinstance(p, (str, Path)) for p in path):
            return [self._located(p) for p in path]
        if not isinstance(path, (str, Path)) or Path(path).exists():
            return path
        near = self._root / path
        return near if near.exists() else path

    def _record(self, report: "Report") -> None:
        """Write figures into JUnit XML's properties."""
        for file in report.files:
            for result in file.results:
                for metric in result.metrics:
                    name = f"{file.title} {result.output} {metric.metric}"
                    self._properties.append((name, f"{metric.value:.6g}"))
            self._properties.append((f"{file.title} verdict", file.verdict))


def arguments_of(test: pytest.Item, project: Mapping[str, Any]) -> dict[str, Any]:
    """What the project and the markers of a test give to ``assert_matches``.

    Raises:
        OptionError: a marker has an argument that means nothing.
    """
    from edgekit.errors import OptionError

    given = {("original" if key == "model" else key): value for key, value in project.items()}
    given = {key: value for key, value in given.items() if key in ARGUMENTS}
    if "original" not in given:
        given.pop("candidates", None)
    for marker in reversed(list(test.iter_markers(MARK))):
        if unknown := [name for name in marker.kwargs if name not in ARGUMENTS]:
            raise OptionError(
                f"@pytest.mark.{MARK} takes no {unknown[0]}{nearest(unknown[0], ARGUMENTS)}; it takes "
                f"{', '.join(ARGUMENTS)}."
            )
        given |= marker.kwargs
    return given


def _exceeded(report: "Report", strict: bool) -> Iterator[str]:
    for file in report.files:
        yield from (f"{file.title}: {fault}" for fault in file.faults)
        for result in file.results:
            output = f" ({result.output})" if len(file.results) > 1 else ""
            for limit_result in result.limit_results:
                sentence = f"{file.title}{output}: {limit_result.reason}"
                if limit_result.verdict == "fail":
                    yield sentence
                elif limit_result.verdict == "inconclusive" and strict:
                    yield f"{sentence} (inconclusive, and strict)"
                elif limit_result.verdict == "inconclusive":
                    warnings.warn(sentence, Inconclusive, stacklevel=4)


def _heading(report: "Report") -> str:
    return f"against {report.model}, on {report.evaluated_on:,} samples of {report.data}:"


def _causes(report: "Report") -> list[str]:
    """Warnings, and the layers that add most noise."""
    lines = [f"  warning: {warning}" for file in report.files for warning in file.warnings]
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
