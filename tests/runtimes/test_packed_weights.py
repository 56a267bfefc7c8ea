"""A Keras archive of which little on disk would fill memory is refused before Keras reads it."""

import zipfile
from pathlib import Path

import pytest

from edgekit_converters.source import SourceError, check_source
from edgekit_runtimes import ModelError
from edgekit_runtimes.engines.keras import open_keras


def archive(path: Path, megabytes: int, compression: int) -> Path:
    with zipfile.ZipFile(path, "w", compression) as written:
        written.writestr("config.json", "{}")
        written.writestr("model.weights.h5", bytes(megabytes << 20))
    return path


def test_weights_of_zeros_that_are_packed_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras", 80, zipfile.ZIP_DEFLATED)

    assert path.stat().st_size < 200_000
    with pytest.raises(ModelError, match=r"model\.weights\.h5 claims 83,886,080 bytes, packed"):
        open_keras(path)
    with pytest.raises(SourceError, match=r"model\.weights\.h5 claims 83,886,080 bytes, packed"):
        check_source(str(path))


@pytest.mark.parametrize(
    ("megabytes", "compression"), [(80, zipfile.ZIP_STORED), (20, zipfile.ZIP_DEFLATED)]
)
def test_weights_as_keras_writes_them_and_small_ones_are_not(
    megabytes: int, compression: int, tmp_path: Path
) -> None:
    check_source(str(archive(tmp_path / "model.keras", megabytes, compression)))
