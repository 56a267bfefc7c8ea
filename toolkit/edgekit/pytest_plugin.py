"""The pytest plugin: a fixture that compares files with their original, and a committed baseline.

    def test_int8(edgekit):
        edgekit.assert_matches("model.keras", "out/model_int8.tflite", data="eval.npz", max_drop=0.01)

pytest finds it where edgekit is installed. Until a test asks for it, neither NumPy nor a runtime loads.
"""

import json
from typing import Any

import pytest

from edgekit.pytest_gate import MARK, Baseline, Gate, arguments_of

_FILE = "edgekit-baseline.json"
_BASELINE = pytest.StashKey[Baseline]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("edgekit")
    group.addoption(
        "--edgekit-update",
        action="store_true",
        help=f"write the files' metrics into {_FILE}, to be committed",
    )
    parser.addini(
        "edgekit_baseline",
        f"the baseline's file, from pytest's root [{_FILE}]",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the baseline of this run."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(data=..., max_drop=..., ...): arguments of edgekit.assert_matches that a test "
        f"leaves out; every test that uses the fixture has it, so that -m {MARK} selects them",
    )
    named = str(config.getini("edgekit_baseline"))
    config.stash[_BASELINE] = Baseline(
        config.rootpath / (named or _FILE),
        update=bool(config.getoption("--edgekit-update")),
        named=bool(named),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the fixture."""
    for item in items:
        if MARK in getattr(item, "fixturenames", ()) and not item.get_closest_marker(MARK):
            item.add_marker(MARK)


@pytest.fixture(name="edgekit")
def gate(request: pytest.FixtureRequest) -> Gate:
    """Model files compared with their original: ``edgekit.assert_matches(...)``."""
    from edgekit.errors import EdgekitError
    from edgekit.project import FILE, read_project

    root = request.config.rootpath
    try:
        defaults = arguments_of(request.node, read_project(root / FILE).validate)
    except EdgekitError as error:
        pytest.fail(f"edgekit: {error}", False)
    return Gate(
        request.node.nodeid,
        defaults,
        root,
        request.config.stash[_BASELINE],
        request.node.user_properties,  # as record_property does, which warns of xunit2 for no reason
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the baseline; a worker of pytest-xdist hands its entries to the run that does."""
    baseline = session.config.stash[_BASELINE]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[MARK] = json.dumps([baseline.new, baseline.lacking])
    elif baseline.new:
        from edgekit.report.baseline import write_baseline

        write_baseline(baseline.path, baseline.new)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker hands over."""
    if message := getattr(node, "workeroutput", {}).get(MARK):
        new, lacking = json.loads(message)
        baseline = node.config.stash[_BASELINE]
        baseline.new |= new
        baseline.lacking += lacking


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was done with the baseline."""
    baseline = config.stash[_BASELINE]
    if baseline.new:
        terminalreporter.write_line(
            f"edgekit: {len(baseline.new)} files' metrics are in {baseline.path.name}"
        )
    elif baseline.lacking and baseline.wanted:
        terminalreporter.write_line(
            f"edgekit: {baseline.lacking} checks have no baseline; pytest --edgekit-update writes {baseline.path.name}"
        )
