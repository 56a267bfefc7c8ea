"""What a client's process needs and gives, in plain Python: it runs where nothing of edgekit is installed.

``python PROGRAM CASES RESULTS FILE ...`` writes a line of JSON for each file into RESULTS, when it
begins with it and when it is done, so that a crash loses only the file that it happened on; and the outputs
as float32 beside RESULTS.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Sample = Mapping[str, "np.ndarray[Any, Any]"]
Case = Mapping[str, Any]
Examine = Callable[[Path, Case, Path], Mapping[str, Any]]
"""``examine(file, case, folder)`` gives the fields of the file's line; outputs go into the folder."""
Run = Callable[[Path, "list[Sample]", "list[str]"], "list[list[np.ndarray[Any, Any]]]"]
"""``run(file, samples, outputs)`` gives the outputs of each sample, in the order that is asked for."""


def serve(versions: Mapping[str, str], examine: Examine) -> None:
    """Examines every file that the command line names."""
    cases_file, results = Path(sys.argv[1]), Path(sys.argv[2])
    cases = json.loads(cases_file.read_text())
    with results.open("a") as lines:

        def tell(**line: object) -> None:
            lines.write(json.dumps(line) + "\n")
            lines.flush()

        tell(versions=dict(versions))
        for name in sys.argv[3:]:
            path = cases_file.parent / name
            tell(begins=name)
            try:
                found = examine(
                    path, cases[path.parent.name], results.parent / name.replace(".", "_")
                )
            except Exception as error:  # whatever a client says is the result
                tell(file=name, error=f"{type(error).__name__}: {error}")
            else:
                tell(file=name, **found)


def running(run: Run) -> Examine:
    """Examines a file by running it on the samples of its case."""

    def examine(path: Path, case: Case, folder: Path) -> Mapping[str, Any]:
        rows = run(path, list(samples(path.parent, case)), case["outputs"])
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(case["outputs"])):
            stacked = np.stack([row[number] for row in rows])
            stacked.astype("<f4").tofile(folder / f"{number}.bin")
        return {}

    return examine


def samples(folder: Path, case: Case) -> Iterator[Sample]:
    """The samples of a case, each with the batch axis that the files have."""
    arrays = {
        name: np.fromfile(folder / f"{name}.bin", spec["dtype"]).reshape(-1, *spec["shape"])
        for name, spec in case["inputs"].items()
    }
    for number in range(case["samples"]):
        yield {name: values[number] for name, values in arrays.items()}
