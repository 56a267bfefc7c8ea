"""``verify_folder``: whether a folder is what its manifest says, and answers here as where it was made.

Hashes first: a file that is not the one that was listed is not opened. Then the golden samples run
through each file on each device, and their outputs are held to the manifest's tolerances. Whoever made the
folder is another question, which its signature answers where a key is given, and first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgekit_runtimes.base import Array, DeviceUnavailable, InputError, ModelError, SignatureError
from edgekit_runtimes.bundle.golden import Golden, open_golden
from edgekit_runtimes.bundle.manifest_file import (
    BY_NAME_ONLY,
    MANIFEST,
    changed,
    listed_files,
    read_listed,
)
from edgekit_runtimes.engines.devices import DEVICES
from edgekit_runtimes.open_model import open_model

ALL = "all"
"""The word for every device that is ready and no simulator."""

Verdict = Literal["pass", "fail", "not run"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked of a folder."""

    file: str
    device: str
    """That its golden samples ran on; empty for its hash."""
    verdict: Verdict
    """``not run`` where a device does not take the file, which is no fault of the folder."""
    reason: str = ""
    """Why it does not pass, in words."""
    error: float | None = None
    """The largest difference from the golden outputs, as a part of its tolerance: at most 1 passes."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a folder; false where a check failed, or no file could run."""

    folder: str
    samples: int
    """Golden samples; 0 where there are none, and nothing but hashes was checked."""
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed, and a file ran where there are golden samples."""
        return not self.failed and (self.ran or not self.samples)

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(check.verdict == "fail" for check in self.checks)

    @property
    def ran(self) -> bool:
        """Whether a file ran on a device."""
        return any(check.error is not None for check in self.checks)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return "\n".join(
            f"{c.file}{f' on {c.device}' if c.device else ''}: {c.verdict}{': ' if c.reason else ''}{c.reason}"
            for c in self.checks
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        plain = {"passed": self.passed, **asdict(self)}
        for check in plain["checks"]:
            if check["error"] is not None and not np.isfinite(check["error"]):
                check["error"] = None  # JSON has no infinity
        return plain


def verify_folder(
    folder: str | Path,
    *,
    device: str | Sequence[str] = ALL,
    key: str | Path | None = None,
) -> Verified:
    """Check a folder that ``edgekit convert`` made: every hash, then the golden samples on devices.

    >>> verified = verify_folder("out", device="cpu")
    >>> verified.passed, {check.verdict for check in verified.checks}
    (True, {'pass'})

    Args:
        folder: the folder.
        device: as for ``open_model``, or several; ``all`` for those that are ready here and no simulators. A
            file is left out on devices that do not open its kind.
        key: a public key, or certificates, in PEM: the folder must be what its holder signed; where it is
            not, nothing of it is opened. Each file is opened as ``open_model(file, key=...)`` does.

    Raises:
        ModelError: there is no manifest in the folder.
        RuntimeMissing: a key is given, and the package ``cryptography`` is not installed.
    """
    folder = Path(folder)
    if key is None:
        return _verify(folder, device, None)
    from edgekit_runtimes.bundle.signature import SIGNATURE, verify_signature

    try:
        verify_signature(folder, key)
    except SignatureError as refusal:
        return Verified(str(folder), 0, (Check(SIGNATURE, "", "fail", str(refusal)),))
    verified = _verify(folder, device, key)
    return replace(verified, checks=(Check(SIGNATURE, "", "pass"), *verified.checks))


def _verify(folder: Path, device: str | Sequence[str], key: str | Path | None) -> Verified:
    """Check hashes and golden samples of a folder."""
    manifest, damage = _manifest(folder)
    if manifest is None:
        return Verified(str(folder), 0, (Check(MANIFEST, "", "fail", damage),))
    hashes = tuple(_hashes(manifest, folder))
    if not manifest.get("golden"):
        return Verified(str(folder), 0, hashes)
    wrong = {check.file for check in hashes if check.verdict == "fail"}
    try:
        golden = open_golden(folder)
    except ModelError as error:
        name = str(manifest["golden"].get("file", "golden.npz"))
        more = () if name in wrong else (Check(name, "", "fail", str(error)),)
        return Verified(str(folder), 0, (*hashes, *more))
    asked = [device] if isinstance(device, str) else device
    files = [e for e in manifest["files"] if str(e["file"]) not in wrong]
    ran = [
        _run(folder / str(entry["file"]), name, golden, key)
        for entry in files
        for name in _devices(str(entry["file"]), _fit(entry, asked))
    ]
    return Verified(str(folder), golden.samples, (*hashes, *ran))


def _manifest(folder: Path) -> tuple[Mapping[str, Any] | None, str]:
    """The manifest, or what is wrong with it.

    Raises:
        ModelError: there is none.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ModelError(
            f"{folder}: there is no {MANIFEST} in it. Pass a folder that edgekit convert made, with its "
            "manifest."
        )
    try:
        manifest = read_listed(folder)
        if manifest is None:
            return None, f"{path}: it is damaged, or edgekit convert did not write it."
        listed_files(manifest, folder)
    except ModelError as error:
        return None, str(error)
    return manifest, ""


def _hashes(manifest: Mapping[str, Any], folder: Path) -> Iterator[Check]:
    for name, hashes in listed_files(manifest, folder).items():
        wrong = [
            text
            for file, expected in hashes.items()
            if (text := changed(file, expected, again=True))
        ]
        yield Check(name, "", "fail" if wrong else "pass", " ".join(wrong))


def _fit(entry: Mapping[str, Any], asked: Sequence[str]) -> Sequence[str]:
    """The devices that were asked for; for all, of a file for microcontrollers, only the CPU's.

    GPUs and OpenVINO open no file that has a state in it.
    """
    by_name_only = entry.get("format") in BY_NAME_ONLY
    return ["cpu" if by_name_only and name == ALL else name for name in asked]


def _devices(file: str, asked: Sequence[str]) -> list[str]:
    """The devices that a file is to run on; for all of them, where none is ready, the CPU says why."""
    suitable = [d for d in DEVICES if Path(file).suffix in d.suffixes]
    known = {d.name for d in DEVICES} - {d.name for d in suitable}
    ready = [d.name for d in suitable if not (d.simulated or d.missing())]
    wanted = [n for name in asked for n in ((ready or ["cpu"]) if name == ALL else [name])]
    return [name for name in dict.fromkeys(wanted) if name not in known]


def _run(path: Path, device: str, golden: Golden, key: str | Path | None) -> Check:
    """Run the golden samples through a file on a device."""
    try:
        with open_model(path, device=device, key=key) as session:
            device = session.device
            got = session.run({s.name: golden.inputs[s.name] for s in session.inputs})
        error, reason = _compare(
            got, golden.outputs[path.name], golden.tolerances.get(path.name, {})
        )
    except DeviceUnavailable as unavailable:
        return Check(path.name, device, "not run", str(unavailable))
    except (ModelError, InputError) as wrong:
        return Check(path.name, device, "fail", str(wrong))
    except KeyError as missing:
        return Check(
            path.name, device, "fail", f"{path}: there are no golden samples for {missing}."
        )
    return Check(path.name, device, "fail" if reason else "pass", reason, error)


def _compare(
    got: Mapping[str, Array], expected: Mapping[str, Array], tolerances: Mapping[str, float]
) -> tuple[float, str]:
    """The largest error as a part of its tolerance, and what is wrong in words."""
    worst, reasons = 0.0, []
    for name, golden in expected.items():
        values, most = got.get(name), tolerances.get(name)
        if values is None or values.shape != golden.shape:
            shape = "not there" if values is None else f"of shape {values.shape}"
            reasons.append(f"its output {name!r} is {shape}; the golden one has {golden.shape}")
            continue
        if most is None:
            reasons.append(f"{MANIFEST} has no tolerance for the output {name!r}")
            continue
        error = _differences(values, golden)
        largest = float(error.max(initial=0.0))
        part = largest / most if most else (np.inf if largest else 0.0)
        worst = max(worst, part)
        if not 0 <= part <= 1:  # a tolerance that is no number allows nothing
            each = error.reshape(len(error), -1).max(axis=1, initial=0.0)
            reasons.append(
                f"{name!r} differs from the golden output in {int((~(each <= most)).sum())} of {len(each)} "
                f"samples, by up to {largest:.3g} in sample {int(each.argmax())}; {most:.3g} is allowed"
            )
    return worst, "; ".join(reasons)


def _differences(values: Array, golden: Array) -> Array:
    """The differences; infinite where one value is finite and the other is not."""
    a, b = values.astype(np.float64), golden.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(a - b))
    return np.where(np.isnan(error), np.inf, error)
