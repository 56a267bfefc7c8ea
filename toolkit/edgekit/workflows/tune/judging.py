"""One file judged by its outputs: as the gate judges it, without what a report shows besides."""

from edgekit.bundle.environment import Environment
from edgekit.data.open import RANDOM
from edgekit.data.split import SampleSplit
from edgekit.data.store import StoredArrays
from edgekit.report.file_result import FileResult
from edgekit.report.saved_outputs import RecordedFile, Recording
from edgekit.workflows.evaluate import FLOAT, Criteria, Original
from edgekit.workflows.judge import judge
from edgekit.workflows.tune.trial import Trial


def judge_outputs(
    original: Original,
    samples: SampleSplit,
    trial: Trial,
    size: int,
    outputs: StoredArrays,
    criteria: Criteria,
) -> FileResult:
    """Compare a file's outputs with the original's, on the samples that both ran on.

    Args:
        original: its outputs on these samples.
        samples: for their labels.
        trial: the file.
        size: its bytes.
        outputs: the file's.
        criteria: the limits.
    """
    file = RecordedFile(
        name=trial.title,
        bytes=size,
        format=trial.format,
        precision=trial.recipe.precision,
        device="",
        outputs=outputs,
        compared_as_float32=trial.recipe.precision == FLOAT,
    )
    recording = Recording(
        model=original.name,
        model_bytes=original.bytes,
        original=original.recorded,
        files=(file,),
        labels=samples.labels,
        numbers=samples.numbers,
        label_names=samples.label_names,
        data=samples.source,
        shippable=samples.source != RANDOM,
        warnings=(),
        environment=Environment(),
    )
    return judge(recording, criteria.limits, worst=0, task=criteria.task).files[0]
