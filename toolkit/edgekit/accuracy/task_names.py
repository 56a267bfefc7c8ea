"""The names of tasks, and how people write which output has which."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from edgekit.data.samples import DataError
from edgekit.errors import nearest
from edgekit.names import names

Task = Literal[
    "classes",
    "sequence",
    "binary",
    "binary_logits",
    "multilabel",
    "multilabel_logits",
    "index",
    "detection",
    "values",
]
"""What an output predicts.

``classes``: one of several classes, by a score for each. ``sequence``: the same, at each step. ``binary``: one
of two classes, by a single probability; ``binary_logits``: by its logit. ``multilabel``: any of several
labels, by a probability for each; ``multilabel_logits``: by logits. ``index``: a class by its number.
``detection``: boxes with scores and classes. ``values``: numbers.
"""

TASKS: tuple[Task, ...] = get_args(Task)

TaskTexts = str | Sequence[str]
"""``"multilabel"`` for every output, ``"tags=multilabel"`` for one, or several of them."""


def read_tasks(given: TaskTexts, outputs: Iterable[str]) -> dict[str, Task]:
    """Read which outputs have which task.

    >>> read_tasks("tags=multilabel,age=values", ["tags", "age", "face"])
    {'tags': 'multilabel', 'age': 'values'}
    >>> read_tasks("index", ["y"])
    {'y': 'index'}

    Raises:
        DataError: there is no such task, or no such output.
    """
    known, tasks = list(outputs), dict[str, Task]()
    for text, output, task in _read(given):
        if output and output not in known:
            raise DataError(
                f"task={text!r}: the model has no output {output!r}{nearest(output, known)}. Its outputs "
                f"are {', '.join(known)}."
            )
        tasks |= dict.fromkeys([output] if output else known, task)
    return tasks


def check_tasks(given: TaskTexts) -> None:
    """Refuse what names no task, before any model runs.

    Raises:
        DataError: there is no such task.
    """
    list(_read(given))


def _read(given: TaskTexts) -> Iterator[tuple[str, str, Task]]:
    for text in names(given):
        output, _, name = text.rpartition("=")
        task = next((task for task in TASKS if task == name), None)
        if task is None:
            raise DataError(
                f"task={text!r}: there is no task {name!r}{nearest(name, TASKS)}. There are "
                f"{', '.join(TASKS)}; write TASK, or OUTPUT=TASK for one output."
            )
        yield text, output, task
