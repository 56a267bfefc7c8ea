"""The locked sets that ``make setup`` installs: all that pyproject.toml names, with hashes, from anywhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = {
    "all": "requirements.lock",
    "accelerators": "tests/accelerators/requirements.lock",
    "page": "tests/page/requirements.lock",
    "device": "runtimes/requirements.lock",
    "serve": "deploy/requirements.lock",
}


def named(extra: str) -> set[str]:
    """The packages that an extra asks for, those of the extras in it included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = set[str]()
    waiting = [*project["dependencies"], *project["optional-dependencies"][extra]]
    while waiting:
        wanted = waiting.pop()
        if inner := re.match(r"edgekit-toolkit\[(.*)\]", wanted):
            for name in inner[1].split(","):
                waiting += project["optional-dependencies"][name]
        else:
            names.add(re.split(r"[^\w.-]", wanted)[0])
    return names


@pytest.mark.parametrize("extra", LOCKS)
def test_a_lock_has_all_that_its_extra_names(extra: str) -> None:
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / LOCKS[extra]).read_text(), re.MULTILINE))
    assert named(extra) - locked == set(), "make lock renews it"


@pytest.mark.parametrize("path", LOCKS.values())
def test_a_lock_has_hashes_and_names_no_place(path: str) -> None:
    text = (ROOT / path).read_text()
    entries = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|index|find-links|^/|\s/", text)


def test_the_locks_agree() -> None:
    """What is installed second takes nothing back."""
    first, *others = (
        dict(re.findall(r"^([\w.-]+==\S+)( ;.*)? \\", (ROOT / path).read_text(), re.MULTILINE))
        for path in LOCKS.values()
    )
    names = {pin.split("==")[0] for pin in first}
    for other in others:
        assert {pin for pin in other if pin.split("==")[0] in names} <= set(first)
