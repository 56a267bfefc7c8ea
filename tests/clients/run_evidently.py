"""Evidently's figures for two tables of numbers; runs in an environment that has it, and nothing of edgekit.

``python run_evidently.py TABLES.npz``: ``before`` and ``now``, a column a variable. Prints, by column, the
population stability index, the p-value of the Kolmogorov-Smirnov test, whether each calls it a drift, and the
share of ``now`` outside the range of ``before``.
"""

import json
import sys
import warnings

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import OutRangeValueCount, ValueDrift


def main(path: str) -> None:
    with np.load(path) as tables:
        before, now = tables["before"].astype(float), tables["now"].astype(float)
    columns = [f"c{i}" for i in range(before.shape[1])]
    definition = DataDefinition(numerical_columns=columns)
    frames = [pd.DataFrame(table, columns=columns) for table in (before, now)]
    reference, current = (Dataset.from_pandas(f, data_definition=definition) for f in frames)
    metrics = []
    for i, column in enumerate(columns):
        metrics += [
            ValueDrift(column=column, method="psi"),
            ValueDrift(column=column, method="ks"),
            OutRangeValueCount(
                column=column, left=float(before[:, i].min()), right=float(before[:, i].max())
            ),
        ]
    found = Report(metrics).run(current, reference).dict()["metrics"]
    figures = []
    for psi, ks, outside in zip(found[::3], found[1::3], found[2::3], strict=True):
        figures.append(
            {
                "psi": float(psi["value"]),
                "ks_p": float(ks["value"]),
                "outside": float(outside["value"]["share"]),
            }
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
