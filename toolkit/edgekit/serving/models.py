"""The models that are served, by name and version; and how new ones take the place of old ones."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.serving.child import identity_of
from edgekit.serving.runner import Runner
from edgekit_runtimes import RuntimesError
from edgekit_runtimes.bundle.manifest_file import MANIFEST

ONLY_VERSION = "1"
"""Of a folder that convert made; of a folder of such folders, each one's name is its version."""

Opener = Callable[[Path, str, str], Runner]
"""Opens a model for its requests: the path, and the name and version that its metrics have."""


class ServeError(EdgekitError):
    """What cannot be served, and why."""


class NotServed(LookupError):
    """No such model, or no such version of it; the message lists those that there are."""


@dataclass(frozen=True, slots=True)
class Served:
    """One version of a model."""

    name: str
    version: str
    path: Path
    runner: Runner


@dataclass(slots=True)
class Models:
    """Every model that is served."""

    opener: Opener
    _served: dict[str, dict[str, Served]] = field(default_factory=dict)
    _refused: dict[Path, tuple[int, ...]] = field(default_factory=dict)
    """Folders whose new content was not taken into use, by what it was."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, path: Path) -> None:
        """Open every version of a model.

        Raises:
            ServeError: there is nothing to serve.
            RuntimesError: a version cannot be opened.
        """
        if name in self._served:
            raise ServeError(
                f"{path}: a model {name!r} is served already. Name this one otherwise: OTHER={path}."
            )
        self._served[name] = {
            version: self._open(name, version, folder)
            for version, folder in versions_in(path).items()
        }

    def find(self, name: str, version: str | None = None) -> Served:
        """The model of a name; of several versions the highest, where none is named.

        Raises:
            NotServed: there is none.
        """
        versions = self._served.get(name)
        if versions is None:
            raise NotServed(
                f"no model {name!r} is served here; there are: {', '.join(self._served)}."
            )
        if version is None:
            return versions[max(versions, key=_order)]
        if version not in versions:
            raise NotServed(f"{name!r} has no version {version!r}; it has: {', '.join(versions)}.")
        return versions[version]

    def versions(self, name: str) -> list[str]:
        """The versions of a model, the lowest first."""
        return sorted(self._served[name], key=_order)

    def __iter__(self) -> Iterator[Served]:
        for versions in list(self._served.values()):
            yield from list(versions.values())

    def reload(self) -> list[str]:
        """Put folders that were changed in place of what is served of them; what was done, in words.

        A folder is opened, checked and run before it is taken into use, and what runs now answers until
        then. One that fails stays out, until it is changed again.
        """
        told = []
        with self._lock:
            for served in list(self):
                now = identity_of(served.path)
                known = (served.runner.opened.identity, self._refused.get(served.path))
                if now is None or now in known:
                    continue
                try:
                    fresh = self._open(served.name, served.version, served.path)
                except (RuntimesError, EdgekitError, OSError) as error:
                    self._refused[served.path] = now
                    told.append(f"{served.name}: not taken into use: {error}")
                    continue
                self._served[served.name][served.version] = fresh
                served.runner.close()
                told.append(f"{served.name} {served.version}: {fresh.runner.opened.file} is in use")
        return told

    def close(self) -> None:
        """Run what waits, then end every model's process."""
        for served in self:
            served.runner.close()

    def _open(self, name: str, version: str, path: Path) -> Served:
        return Served(name, version, path, self.opener(path, name, version))


def versions_in(path: Path) -> dict[str, Path]:
    """The folders, or the file, to serve of a path, by version.

    Raises:
        ServeError: there is nothing to serve.
    """
    if path.is_file() or (path / MANIFEST).exists():
        return {ONLY_VERSION: path}
    if not path.is_dir():
        raise ServeError(f"{path}: there is no such file or folder.")
    found = {
        folder.name: folder for folder in sorted(path.iterdir()) if (folder / MANIFEST).exists()
    }
    if not found:
        raise ServeError(
            f"{path}: neither a folder that `edgekit convert` made, nor one of such folders: there is no "
            f"{MANIFEST}."
        )
    return found


def newest(versions: Mapping[str, Path]) -> Path:
    """Of the versions of a model, the one that is asked where none is named."""
    return versions[max(versions, key=_order)]


def named(argument: str) -> tuple[str, Path]:
    """A model's name and path of ``NAME=PATH``, or of a path alone, whose last part is the name.

    Raises:
        ServeError: the name cannot stand in an address.
    """
    name, equals, rest = argument.partition("=")
    path = Path(rest) if equals else Path(argument)
    if not equals:
        name = path.resolve().stem if path.is_file() else path.resolve().name
    if not name or any(not (c.isalnum() or c in "._-") for c in name) or not name.isascii():
        raise ServeError(
            f"{argument}: {name!r} cannot be a model's name, which is part of an address: letters, digits, "
            f"'.', '_' and '-'. Name it: NAME={path}."
        )
    return name, path


def _order(version: str) -> tuple[bool, int, str]:
    return version.isdecimal(), int(version) if version.isdecimal() else 0, version
