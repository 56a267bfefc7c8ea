"""Single bytes of a signed folder changed, anywhere in any of its files: each is refused, and none opened."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.signing import Pair, make_pair, sign_by_package

from edgekit_runtimes import SignatureError, open_model


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def signed(converted: Path, pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `edgekit convert` leaves it, signed."""
    folder = tmp_path_factory.mktemp("signed") / "out"
    shutil.copytree(converted, folder)
    sign_by_package(folder, pair)
    return folder


def changes(folder: Path, count: int) -> Iterator[tuple[Path, int, int]]:
    """A file, a place in it and another byte for it: as many in each file, and never the same twice.

    A small file, such as the signature, is changed at every place if there are enough to make.
    """
    chance = random.Random(15)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    left = count
    for number, file in enumerate(sorted(files, key=lambda p: p.stat().st_size)):
        size, share = file.stat().st_size, left // (len(files) - number)
        for place in chance.sample(range(size), min(size, share)):
            yield file, place, chance.randrange(1, 256)
            left -= 1


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_change_of_a_byte_is_refused(count: int, signed: Path, pair: Pair) -> None:
    model = signed / "model_int8.tflite"
    open_model(model, key=pair.public).close()
    made, opened = 0, []
    for file, place, by in changes(signed, count):
        with file.open("r+b") as content:
            content.seek(place)
            byte = content.read(1)[0]
            content.seek(place)
            content.write(bytes([byte ^ by]))
        try:
            open_model(model, key=pair.public).close()
            opened.append(f"{file.name}[{place}]: {byte:#04x} as {byte ^ by:#04x}")
        except SignatureError:
            made += 1
        finally:
            with file.open("r+b") as content:
                content.seek(place)
                content.write(bytes([byte]))
    assert opened == []
    assert made == count
    open_model(model, key=pair.public).close()
