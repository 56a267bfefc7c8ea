"""``edgekit.tune``: a model and samples to the file that costs least within the limits, proven."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Unpack

from edgekit.accuracy.limits import read_limits
from edgekit.accuracy.task_names import check_tasks
from edgekit.bundle.folder import LOG, workplace
from edgekit.data.images import Images
from edgekit.data.open import open_samples
from edgekit.data.split import SampleSplit, set_aside
from edgekit.inference.executors import check_engine
from edgekit.options.tune import TuneOptions
from edgekit.options.values import resolve, with_options
from edgekit.progress import Progress, silent
from edgekit.report.result import Report
from edgekit.stopping import first_asks
from edgekit.workflows.convert import check_conversion
from edgekit.workflows.original import name_of, source_of
from edgekit.workflows.ship import Made, log_left, ship
from edgekit.workflows.tune.work import RUNNING, STOP, Task, work
from edgekit.workflows.worker import WorkerDied, run_in_worker
from edgekit_runtimes import TensorSpec

_CRASHES = 5  # of candidates, after which it is not the candidates


@with_options(TuneOptions)
def tune(
    model: Any,
    data: Any,
    output: str | Path = "out",
    *,
    progress: Progress = silent,
    **options: Unpack[TuneOptions],
) -> Report:
    """Search for the fastest file of a Keras model whose drop is proven to stay within the limits.

    >>> import edgekit
    >>> report = edgekit.tune("model.keras", "samples.npz", "tuned", max_drop="5%", budget="1min")
    >>> report.verdict, [file.name for file in report.files]
    ('pass', ['model_tuned.tflite', 'model_tuned.onnx'])

    The samples are split into three parts: some calibrate, others choose among the candidates, and the rest
    judge the few that are chosen, once. Where nothing is proven, float32 is written, and
    ``report.search.why`` says what the nearest file lost.

    An interrupt (Ctrl-C, SIGTERM) or the end of ``budget`` ends the search, not the function: the best so
    far is judged and written. A second interrupt ends all, and leaves the output as it was.

    Args:
        model: a path (``.keras``, ``.h5``, a SavedModel folder), ``module:function``, or a Keras model
            made of layers that Keras can load again.
        data: samples, of any kind in ``edgekit.data.open.SOURCES``.
        output: the folder to write into.
        progress: is called with each step's name as it begins.
        {options}

    Returns:
        The report, which is also in ``output/report.json``; false where a limit is exceeded.

    Raises:
        OptionError: an option has a value that it cannot take.
        OutputInUse: another run is writing into ``output``.
        ConversionError: the model cannot be converted.
        ModelError: the float32 file cannot be opened by its own runtime.
        DeviceUnavailable: the device is not there.
        DataError: the samples cannot be read, or do not fit the model.
        RuntimeMissing: TensorFlow or a runtime is not installed.
        ClusterError: the engine's cluster is not there, or would compute something else than this machine.
        WorkerError: native code crashed outside a candidate, memory or time ran out.
    """
    chosen = resolve(TuneOptions, options)
    images = Images(chosen["scale"] or "0..1", chosen["labels"])
    limits = read_limits(chosen["max_drop"], chosen["min"], chosen["max"])
    check_tasks(chosen["task"])
    check_engine(chosen["engine"])
    output = Path(output)
    check_conversion(model, data, ("int8",), chosen["to"], output, force=chosen["force"])
    with workplace(output) as run:
        source = source_of(model, run)
        saved = not isinstance(model, (str, Path))
        task = Task(source, name_of(model), saved, chosen, limits, run)
        log = run / LOG
        log.touch()
        read: list[SampleSplit] = []

        def read_samples(inputs: Sequence[TensorSpec]) -> SampleSplit:
            if not read:  # a worker that comes after a crash asks again
                progress("reading samples")
                opened = open_samples(data, inputs, images)
                split = set_aside(
                    opened,
                    run / "samples",
                    calibration=chosen["samples"],
                    choosing=chosen["samples"],
                    progress=progress,
                )
                read.append(split)
            return read[0]

        def stop(signal: str) -> None:
            (run / STOP).write_text(f"interrupted ({signal})")
            progress("ending the search and judging the best so far; once more ends at once")

        with log_left(log, output), first_asks(stop):
            made, scratch = _worked(task, read_samples, progress)
        log.replace(scratch / LOG)
        return ship(made, scratch, output, source=source, data=data, options=chosen)


def _worked(
    task: Task,
    read_samples: Callable[[Sequence[TensorSpec]], SampleSplit],
    progress: Progress,
) -> tuple[Made, Path]:
    """Run the search in a worker; in another one without it, where a candidate crashes the first."""
    crashed: dict[str, str] = {}
    start = monotonic()
    while True:
        scratch = task.run / f"attempt {len(crashed)}"
        scratch.mkdir()
        try:
            made: Made = run_in_worker(
                work,
                task,
                scratch,
                crashed,
                monotonic() - start,
                log=task.run / LOG,
                scratch=scratch,
                timeout=task.options["timeout"],
                progress=progress,
                answer=read_samples,
                answering="reading samples",
            )
        except WorkerDied as died:
            running = task.run / RUNNING
            if not running.exists() or len(crashed) >= _CRASHES:
                raise
            key, title = json.loads(running.read_text(encoding="utf-8"))
            running.unlink()
            if key in crashed:
                raise
            crashed[key] = f"it ended its process: {died}"
            progress(f"going on without {title}, which crashed")
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            return made, scratch
