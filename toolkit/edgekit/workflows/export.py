"""``edgekit export``: from a folder that ``convert`` made to what a web page, a board or a phone takes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.atomic import replacing
from edgekit.bundle.folder import workplace, write_json
from edgekit.bundle.manifest import FileEntry, Manifest, read_manifest
from edgekit.bundle.packages import require
from edgekit.bundle.schema import EXPORT
from edgekit.data.samples import DataError
from edgekit.errors import nearest
from edgekit.names import printable
from edgekit.targets.integer_ends import integer_file
from edgekit.targets.job import ExportJob
from edgekit.targets.table import TARGETS, find_target
from edgekit_runtimes.bundle.golden import read_golden
from edgekit_runtimes.bundle.manifest_file import changed

MARK = "export.json"
"""Lists what an export wrote, so that the next one into the folder replaces that and nothing else."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    folder: Path
    target: str
    files: tuple[str, ...]
    """The model files in it."""
    next: str
    """What to type there."""
    notes: tuple[str, ...]
    facts: tuple[str, ...] = ()
    """What the target says of it: what it needs on the chip."""


def export(
    source: str | Path, target: str, output: str | Path, *, files: Sequence[str] = ()
) -> Export:
    """Write what a target needs to run the files of a folder.

    >>> export("out", "web", "page").files
    ('model_int8.tflite', 'model_int8.onnx')

    Args:
        source: a folder that ``convert`` or ``tune`` made.
        target: a name of ``TARGETS``.
        output: the folder to write. One that an export wrote is renewed: what else lies there stays.
        files: names of model files in ``source``; by default the int8 files that do not fail, or where there is none,
            all files that do not.

    Raises:
        OptionError: there is no such target.
        DataError: ``source`` is no such folder or was changed, has no such file, none that the target can
            run; or ``output`` holds something else.
        TargetError: the tools of the target cannot take the file.
        RuntimeMissing: jinja2, or what the target needs, is not installed.
    """
    source, output = Path(source), Path(output)
    chosen = find_target(target)
    manifest = _manifest(source)
    entries = _entries(manifest, source, target, files)
    golden = read_golden(source / manifest.golden.file) if manifest.golden else None
    job = ExportJob(source, manifest, entries, golden)
    _refuse_foreign(output)
    require(chosen.modules, f"target {target}", chosen.extra)
    with workplace(output) as scratch:
        written = scratch / "export"
        written.mkdir()
        told = chosen.write(job, written) or ()
        _put(written, output, target)
    names = tuple(entry.file for entry in entries)
    return Export(output, target, names, chosen.next, tuple(_notes(job)), tuple(told))


def _manifest(source: Path) -> Manifest:
    manifest = read_manifest(source) if source.is_dir() else None
    if manifest is None:
        raise DataError(
            f"{printable(source)}: no folder that edgekit convert made. Convert a model first, and name its "
            "output folder."
        )
    return manifest


def _entries(
    manifest: Manifest, source: Path, target: str, names: Sequence[str]
) -> tuple[FileEntry, ...]:
    formats, integers = TARGETS[target].formats, TARGETS[target].integer_ends
    there = {entry.file: entry for entry in manifest.files}
    for name in names:
        if name not in there:
            raise DataError(
                f"{printable(source)}: {name} is no file of it{nearest(name, there)}: it has "
                f"{', '.join(there)}."
            )
    fitting = [there[name] for name in names or there if there[name].format in formats]
    if not fitting or (names and len(fitting) < len(names)):
        raise DataError(
            f"{printable(source)}: target {target} runs {' and '.join(formats)} files, and "
            f"{'these are' if names else 'there are'} {', '.join(names or there)}. Convert again, to "
            f"{formats[0]} too."
        )
    if not names:
        whole = [entry for entry in fitting if entry.verdict != "fail"]
        if not whole:
            raise DataError(
                f"{printable(source)}: each of its files fails its limits. Name the ones that are to be exported "
                "all the same."
            )
        fitting = [entry for entry in whole if entry.precision == "int8"] or whole
        fitting.sort(key=lambda entry: formats.index(entry.format))
    if integers:
        if len(names) > 1:
            raise DataError(f"target {target} takes one file, and these are {', '.join(names)}.")
        fitting = [integer_file(fitting, source, target, manifest.model.name)]
    for entry in fitting:
        hashes = {entry.file: entry.sha256}
        hashes |= {entry.data.file: entry.data.sha256} if entry.data else {}
        for name, expected in hashes.items():
            if reason := changed(source / name, expected):
                raise DataError(f"{printable(source)}: {reason} Convert again.")
    return tuple(fitting)


def _notes(job: ExportJob) -> list[str]:
    notes = [
        f"{entry.file} fails its limits in this folder's report"
        for entry in job.files
        if entry.verdict == "fail"
    ]
    if not job.manifest.shippable:
        notes.append("not for shipping: the files were calibrated on random numbers")
    if job.golden is None:
        notes.append(
            "no self-test: the folder has no golden samples. Convert again, with golden=8."
        )
    return notes


def _refuse_foreign(output: Path) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir() or _listed(output) is None:
        raise DataError(
            f"{printable(output)}: holds something that edgekit export did not write. Name another output."
        )


def _listed(output: Path) -> list[str] | None:
    """What an earlier export wrote; None where there was none."""
    try:
        mark = json.loads((output / MARK).read_text(encoding="utf-8"))
        names = [str(name) for name in mark["files"]]
        inside = all((output / name).resolve().is_relative_to(output.resolve()) for name in names)
        if mark["schema"] == EXPORT and inside:
            return names
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _put(written: Path, output: Path, target: str) -> None:
    """Move what was written into place; what an earlier export wrote and this one did not is removed.

    First the list is made to name old and new files, then they are moved: wherever this is killed, the
    next export knows them all.
    """
    names = sorted(p.relative_to(written).as_posix() for p in written.rglob("*") if p.is_file())
    old = _listed(output) or []
    _mark(output, target, sorted({*names, *old}))
    for name in names:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (written / name).replace(output / name)
    for name in set(old) - set(names):
        (output / name).unlink(missing_ok=True)
    _mark(output, target, names)


def _mark(output: Path, target: str, names: Sequence[str]) -> None:
    with replacing(output / MARK) as unfinished:
        write_json(unfinished, {"schema": EXPORT, "target": target, "files": list(names)})
