"""The bench: candidates are written, timed side by side with float32, and evaluated on the choosing samples."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit.accuracy.forecast import safety
from edgekit.bundle.folder import sha256
from edgekit.data.samples import DataError
from edgekit.data.split import SampleSplit
from edgekit.inference.latency import latencies
from edgekit.inference.tensor_names import with_original_names
from edgekit.workflows.candidates import size_of
from edgekit.workflows.evaluate import Criteria, Original
from edgekit.workflows.tune.elsewhere import Elsewhere
from edgekit.workflows.tune.halt import Watch
from edgekit.workflows.tune.judging import judge_outputs
from edgekit.workflows.tune.kept import Kept
from edgekit.workflows.tune.ladder import FLOAT32
from edgekit.workflows.tune.trial import Measured, Trial
from edgekit_converters import CALIBRATED, FORMATS, ConversionError, Variants
from edgekit_runtimes import DeviceUnavailable, ModelError, open_model

_TOGETHER = 5  # candidates that are open side by side with float32
_AT_FIRST, _LONGER = 0.15, 0.6  # seconds of timing each
_UNDISTURBED = 0.2  # of the calls: those that nobody interrupted are the fastest ones
_ROOM = 1_000_000_000  # bytes of candidates that stay on disk


@dataclass(slots=True)
class Bench:
    """What measures candidates needs."""

    variants: Variants
    original: Original
    """Its outputs on the choosing samples."""
    samples: SampleSplit
    """To choose on."""
    criteria: Criteria
    judges: int
    """How many samples will judge."""
    device: str
    kept: Kept
    folder: Path
    running: Path
    """A file that says which candidates a crash is due to."""
    crashed: Mapping[str, str]
    """Candidates that crashed, by key, and how."""
    watch: Watch
    elsewhere: Elsewhere
    """Where outputs come from; times are of this machine."""
    measured: dict[str, Measured] = field(default_factory=dict)
    """By the trials' keys."""
    notes: list[str] = field(default_factory=list)
    noises: dict[str, float] = field(default_factory=dict)
    """Of rounding each tensor alone, by name, where that was measured."""

    def measure(
        self, trials: Sequence[Trial], wanted: Callable[[Measured], bool] = lambda measured: True
    ) -> None:
        """Measure trials that were not measured yet: all are timed, the fastest are evaluated first.

        A trial that cannot be written or opened is a note.

        Args:
            trials: float32 first, in each format.
            wanted: whether one is evaluated, when those that are faster have been.
        """
        new = [t for t in trials if t.key not in self.measured]
        timed = self._timed([made for t in new if (made := self._made(t))])
        for measured in sorted(timed, key=lambda m: m.ms):
            self.measured[measured.trial.key] = measured
            if wanted(measured):
                self._evaluate(measured)

    def file(self, trial: Trial) -> Path:
        """The file of a trial, written where it is not there."""
        path = self.folder / f"{trial.key}{FORMATS[trial.format].suffix}"
        if not path.exists():
            self.variants.write(trial.recipe, {trial.format: path})
        return path

    def ratio(self, measured: Measured) -> float:
        """Its time over that of the float32 file."""
        return measured.ms / self._anchor(measured.trial).ms

    def _anchor(self, trial: Trial) -> Measured:
        return self.measured[float32(trial.format).key]

    def _made(self, trial: Trial) -> Measured | None:
        """Write a trial and run it once; what its file is, without a time."""
        self.watch.begin(f"{FORMATS[trial.format].title} {trial.title}")
        if trial.key in self.crashed:
            if trial.recipe == FLOAT32[1]:  # nothing to compare with
                raise ModelError(
                    f"{FORMATS[trial.format].title}, float32: {self.crashed[trial.key]}"
                )
            self._leave(trial, self.crashed[trial.key])
            return None
        if found := self.kept.find("file", trial.key):
            return Measured(trial, **found[0])
        try:
            with self.blamed(trial):
                path = self.file(trial)
                with open_model(path, device=self.device) as session:
                    batch = session.inputs[0].shape[0] or 1
                    with_original_names(session, self.original).run(
                        next(self.samples.held_out.batches(batch))
                    )
        except (ConversionError, ModelError, DeviceUnavailable, DataError) as error:
            if trial.recipe == FLOAT32[1]:
                raise
            self._leave(trial, str(error))
            return None
        facts = {
            "bytes": size_of(path),
            "sha256": sha256(path),
            "operators_in_float": len(trial.recipe.keep_float),
            "ms": 0.0,
        }
        self.kept.keep(facts, of=("file", trial.key))
        self._tidy(path)
        return Measured(trial, **facts)  # type: ignore[arg-type]

    def note(self, words: str) -> None:
        """Tell the user, once."""
        if words not in self.notes:
            self.notes.append(words)

    def _leave(self, trial: Trial, why: str) -> None:
        self.note(f"{FORMATS[trial.format].title}, {trial.title}: not tried further: {why}")

    def _timed(self, made: Sequence[Measured]) -> list[Measured]:
        """The same with their times: those of the same shape, those kept, or side by side with float32."""
        timed = []
        for form in dict.fromkeys(m.trial.format for m in made):
            group = [m for m in made if m.trial.format == form]
            anchor = self.measured.get(float32(form).key)
            if anchor is None:
                anchor = group[0]
                anchor = replace(anchor, ms=self._times([anchor])[anchor.trial.key])
                timed.append(anchor)
                self.measured[anchor.trial.key] = anchor
                group = group[1:]
            ratios = {m.trial.shape: m.ms / anchor.ms for m in self.measured.values()}
            fresh: dict[str, Measured] = {}
            for measured in group:
                shape = measured.trial.shape
                if shape not in ratios and (found := self.kept.find("time", shape, self.device)):
                    ratios[shape] = found[0]["ratio"]
                if shape not in ratios:
                    fresh[shape] = measured
            for start in range(0, len(fresh), _TOGETHER):
                part = list(fresh.values())[start : start + _TOGETHER]
                times = self._times([anchor, *part])
                for measured in part:
                    ratio = times[measured.trial.key] / times[anchor.trial.key]
                    ratios[measured.trial.shape] = ratio
                    named = "time", measured.trial.shape, self.device
                    self.kept.keep({"ratio": ratio}, of=named)
            timed += [replace(m, ms=ratios[m.trial.shape] * anchor.ms) for m in group]
        return timed

    def time_again(self, keys: Iterable[str]) -> None:
        """Time some of one format for longer, side by side with float32; their times are then these."""
        some = [self.measured[key] for key in keys]
        anchor = self._anchor(some[0].trial)
        by_shape = {m.trial.shape: m for m in some if m is not anchor}
        named = "times", tuple(sorted(by_shape)), self.device
        if found := self.kept.find(*named):
            ratios = found[0]["ratios"]
        else:
            times = self._times([anchor, *by_shape.values()], seconds=_LONGER)
            first = times[anchor.trial.key]
            ratios = {shape: times[m.trial.key] / first for shape, m in by_shape.items()}
            self.kept.keep({"ratios": ratios}, of=named)
        for key, measured in self.measured.items():
            if measured.trial.shape in ratios:
                ms = ratios[measured.trial.shape] * anchor.ms
                self.measured[key] = replace(measured, ms=ms)

    def _times(self, several: Sequence[Measured], seconds: float = _AT_FIRST) -> dict[str, float]:
        self.watch.check()
        with contextlib.ExitStack() as stack:
            sessions = {}
            for measured in several:
                with self.blamed(measured.trial):
                    opened = open_model(self.file(measured.trial), device=self.device)
                    sessions[measured.trial.key] = stack.enter_context(opened)
            batch = max(session.inputs[0].shape[0] or 1 for session in sessions.values())
            inputs = next(self.samples.held_out.batches(batch))
            mapped = {k: with_original_names(s, self.original) for k, s in sessions.items()}
            return latencies(mapped, inputs, seconds=seconds, part=_UNDISTURBED)

    def _evaluate(self, measured: Measured) -> None:
        trial = measured.trial
        found = self.kept.find("outputs", measured.sha256, self.device)
        if found:
            outputs = found[1]
        else:
            self.watch.check()
            with self.blamed(trial), open_model(self.file(trial), device=self.device) as session:
                outputs = self.elsewhere.record(
                    session, self.original, self.samples.held_out, self.watch
                )
            self.kept.keep({}, outputs, of=("outputs", measured.sha256, self.device))
        with self.blamed(trial):  # a user's own metric may crash, too
            file = judge_outputs(
                self.original, self.samples, trial, measured.bytes, outputs, self.criteria
            )
        shutil.rmtree(outputs.folder)  # those of all candidates could fill the disk
        self.measured[trial.key] = replace(
            measured, results=file.results, safety=safety(file.results, self.judges)
        )

    @contextlib.contextmanager
    def blamed(self, trial: Trial) -> Iterator[None]:
        """Within, a crash is due to this trial."""
        self.running.write_text(json.dumps([trial.key, trial.title]), encoding="utf-8")
        try:
            yield
        finally:
            self.running.unlink(missing_ok=True)

    def _tidy(self, newest: Path) -> None:
        """Remove candidates from disk where they take too much room: they are written again when needed."""
        files = [p for p in self.folder.iterdir() if not p.name.startswith(newest.name)]
        if sum(p.stat().st_size for p in files) > _ROOM:
            for path in files:
                path.unlink()


def float32(form: str) -> Trial:
    """The float32 file of a format, which all are timed against."""
    return Trial(form, *FLOAT32)


def is_integer(trial: Trial) -> bool:
    """Whether a trial's file computes in integers from end to end, as far as its recipe says."""
    return trial.recipe.precision in CALIBRATED and not trial.recipe.keep_float
