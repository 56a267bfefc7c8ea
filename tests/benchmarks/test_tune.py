"""What ``edgekit tune`` finds, beside plain int8 and what other tools make of the same samples.

Every file of a model is judged on the same 1,000 samples and timed in turns with all others, on one
thread. A model is trained the first time (``support.trained``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.peers import converter_int8, nncf_int8, nncf_python, static_int8
from support.timing import Calls, medians
from support.trained import RECIPES, Trained, trained

import edgekit
from edgekit.accuracy.intervals import Verdict
from edgekit.data.samples import Array
from edgekit_converters import load_model
from edgekit_runtimes import open_model
from edgekit_runtimes.host import has_vnni, processor_name

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

Tell = Callable[[str], None]
FORMATS = ("tflite", "onnx")
_TIMED_SECONDS = 6.0
_NOISE = 1.05
"""Of two medians of the same file, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the table."""

    who: str
    accuracy: float
    drop: float
    interval: tuple[float, float]
    sqnr: float
    changed: float
    kb: float
    us: float

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"  {self.who:<22}{self.accuracy:7.2%}{100 * self.drop:+7.2f} [{100 * low:+.2f}, "
            f"{100 * high:+.2f}]{self.sqnr:7.1f}{self.changed:8.2%}{self.kb:8.0f}{self.us:8.0f}"
        )


@dataclass(frozen=True, slots=True)
class Split:
    """The samples, split as ``edgekit convert`` does it: no other tool sees more."""

    calibrate: Array
    choose: Array
    labels: Array
    """Of the samples to choose by."""
    judge: Path


def split(found: Trained, folder: Path) -> Split:
    with np.load(found.data) as data:
        x, y = data["x"], data["y"]
    order = np.random.default_rng(0).permutation(len(x))
    judge, choose, calibrate = (np.sort(part) for part in np.split(order, (1000, 1200)))
    np.savez(folder / "judge.npz", x=x[judge], y=y[judge])
    return Split(x[calibrate], x[choose], y[choose], folder / "judge.npz")


def files_of_peers(found: Trained, parts: Split, float_onnx: Path, folder: Path) -> dict[str, Path]:
    """The files of other tools; of one that fails, nothing, and the reason is the key's end."""
    made: dict[str, Path] = {}

    def attempt(who: str, file: Path, write: Callable[[Path], object]) -> None:
        try:
            problem = write(file)
        except Exception as error:  # another tool's, of any kind: it is what the table tells
            problem = f"{type(error).__name__}: {error}"
        if isinstance(problem, str) and problem:
            file.unlink(missing_ok=True)
            who = f"{who}: {problem.strip().splitlines()[-1][:90]}"
        made[who] = file

    attempt("tflite TFLiteConverter", folder / "converter.tflite", lambda file: file.write_bytes(
        converter_int8(load_model(str(found.model)), parts.calibrate)))  # fmt: skip
    attempt("onnx quantize_static", folder / "static.onnx", lambda file: static_int8(
        float_onnx, parts.calibrate, file))  # fmt: skip
    samples = folder / "nncf.npz"
    np.savez(samples, calibrate=parts.calibrate, choose=parts.choose, labels=parts.labels)
    python = nncf_python()
    attempt("onnx NNCF", folder / "nncf.onnx", lambda file: (
        nncf_int8(python, float_onnx, samples, file) if python else "not installed"))  # fmt: skip
    return made


def judged(found: Trained, parts: Split, files: dict[str, Path]) -> dict[str, Row]:
    """Every file that is there, on the same samples and timed in turns."""
    there = {who: file for who, file in files.items() if file.exists()}
    report = edgekit.validate(found.model, list(there.values()), parts.judge)
    results = {Path(file.name): file.worst_result for file in report.files}
    with np.load(parts.judge) as data:
        x = data["x"][:1]
    sessions = {who: open_model(file) for who, file in there.items()}
    calls: Calls = {who: partial(session.run, x) for who, session in sessions.items()}
    once = sum(medians(calls, 5).values()) / 1e6
    times = medians(calls, int(min(2000, max(40, _TIMED_SECONDS / once))))
    for session in sessions.values():
        session.close()
    rows = {}
    for who, file in there.items():
        result = results[file]
        main = result.metrics[0]
        assert main.drop is not None and main.interval is not None
        rows[who] = Row(
            who, main.value, main.drop, main.interval, result.sqnr_db,
            1 - (result.agreement or 0), file.stat().st_size / 1000, times[who],
        )  # fmt: skip
    return rows


def tuned(
    found: Trained, folder: Path
) -> tuple[dict[str, Path], dict[str, tuple[Verdict, tuple[str, ...]]]]:
    """What ``tune`` chooses in each format, with operators in float where they help and without."""
    files: dict[str, Path] = {}
    verdicts: dict[str, tuple[Verdict, tuple[str, ...]]] = {}
    for label, integer_only in (("tune", False), ("tune, integers", True)):
        out = folder / label
        report = edgekit.tune(
            found.model, found.data, out, max_drop="1%", to=FORMATS, integer_only=integer_only
        )
        for file in report.files:
            files[f"{file.format} {label}"] = out / file.name
            verdicts[f"{file.format} {label}"] = file.verdict, tuple(file.faults)
    return files, verdicts


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times as fast the chosen file is."""

    model: str
    format: str
    over_float: float
    over_both: float
    """Over the faster of float32 and plain int8."""


GAINS: list[Gain] = []


@pytest.mark.parametrize("name", RECIPES)
def test_a_file_within_one_point(name: str, tmp_path: Path, tell: Tell) -> None:
    found = trained(name)
    parts = split(found, tmp_path)
    report = edgekit.convert(found.model, found.data, tmp_path / "plain")
    files = {f"{f.format} {f.precision}": tmp_path / "plain" / f.name for f in report.files}
    chosen, verdicts = tuned(found, tmp_path)
    files |= chosen
    files |= files_of_peers(found, parts, files["onnx float32"], tmp_path)
    rows = judged(found, parts, files)
    lines = [str(rows.get(who, f"  {who}")) for who in sorted(files)]
    tell(f"{name}, {processor_name()}, one thread; accuracy, drop in points [95%], SQNR in dB, "
         "changed, kB, us\n" + "\n".join(lines))  # fmt: skip
    for form in FORMATS:
        plain, mended = rows[f"{form} int8"], rows[f"{form} tune"]
        faster = min(plain.us, rows[f"{form} float32"].us)
        over_float = rows[f"{form} float32"].us / mended.us
        GAINS.append(Gain(name, form, over_float, faster / mended.us))
        assert verdicts[f"{form} tune"] == ("pass", ())
        assert mended.interval[1] <= 0.01
        assert mended.us <= _NOISE * faster
        if plain.drop > 0.005:
            assert plain.drop - rows[f"{form} tune, integers"].drop >= 0.7 * plain.drop


def test_most_models_gain_a_third_over_float(tell: Tell) -> None:
    """In the better format; over plain int8 too only where that loses much of its time somewhere."""
    if not has_vnni() or {gain.model for gain in GAINS} != set(RECIPES):
        pytest.skip("needs VNNI, and the gains of all models")
    tell("times as fast as float32 (as the faster of float32 and int8): " + ", ".join(
        f"{g.model} {g.format} {g.over_float:.2f} ({g.over_both:.2f})" for g in GAINS))  # fmt: skip

    def gaining(over: Callable[[Gain], float]) -> int:
        return len({gain.model for gain in GAINS if over(gain) >= 1.3})

    tell(f"1.3 times as fast as float32: {gaining(lambda g: g.over_float)} of {len(RECIPES)} models; "
         f"as both: {gaining(lambda g: g.over_both)}")  # fmt: skip
    assert gaining(lambda g: g.over_float) > len(RECIPES) / 2
