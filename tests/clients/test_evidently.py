"""The monitor's figures beside evidently's, on the same samples: 30 measurements, each moved a little further."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.drift import DATA, reference_of, split

from clients.environments import python
from edgekit_runtimes import Monitor, MonitorOptions
from edgekit_runtimes.monitoring.report import StatisticReport

pytestmark = pytest.mark.client

EVERY = MonitorOptions(time_share=1, warn=False)


def ours(before: np.ndarray, now: np.ndarray) -> tuple[StatisticReport, float]:  # type: ignore[type-arg]
    """The value's figures, and the share outside the range."""
    monitor = Monitor(reference_of(before[:, np.newaxis]), EVERY)
    for start in range(0, len(now), 25):
        monitor.observe({"x": now[start : start + 25, np.newaxis]}, {})
    value, outside = monitor.report().inputs[0].statistics
    return value, outside.mean


def test_figures_are_those_of_evidently(tmp_path: Path) -> None:
    before, now = split(DATA["cancer"](), 200)
    now = now[:350] + np.linspace(0, 2, 30) * now[:350].std(0)
    np.savez(tmp_path / "tables.npz", before=before, now=now)
    script = Path(__file__).with_name("run_evidently.py")
    command = [python("evidently"), script, tmp_path / "tables.npz"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    theirs = json.loads(ran.stdout.splitlines()[-1])

    found = [ours(before[:, c], now[:, c]) for c in range(30)]

    assert [o for _, o in found] == pytest.approx([f["outside"] for f in theirs], abs=1e-9)
    for c, ((value, _), figures) in enumerate(zip(found, theirs, strict=True)):
        exact = stats.ks_2samp(before[:, c], now[:, c])
        assert figures["ks_p"] == pytest.approx(exact.pvalue, rel=1e-3)
        assert exact.statistic - 1 / 18 <= value.ks <= exact.statistic + 1e-9
        assert figures["ks_p"] < 1e-4 or not value.changed
    # Its bins are as wide as one another and ours hold as many samples: the order is what can be compared.
    index = [value.psi for value, _ in found]
    assert stats.spearmanr(index, [f["psi"] for f in theirs]).statistic > 0.9
