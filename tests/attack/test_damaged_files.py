"""Damaged files through open, inspect, run and validate: words, never a crash or a wrong answer."""

from pathlib import Path

import pytest

from attack.campaign import attack
from attack.victims import ATTACKS

SEED = 12
SHORT = {
    "tflite": 120, "onnx": 120, "npz": 120, "npy": 60, "csv": 100, "manifest": 10, "listed": 10,
    "results_npz": 60, "results_json": 60, "project": 200,
}  # fmt: skip
"""How many of each kind ``make test`` gives; the rest needs TensorFlow or Pillow in its process."""
LONG = {
    "tflite": 20_000, "onnx": 20_000, "keras": 500, "npz": 10_000, "npy": 5_000, "csv": 10_000,
    "png": 5_000, "manifest": 1_000, "listed": 500, "results_npz": 2_000, "results_json": 2_000,
    "project": 5_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", SHORT)
def test_a_few_damaged_files(kind: str, seeds: Path, tmp_path: Path) -> None:
    outcome = attack(kind, seeds, tmp_path / "campaign", count=SHORT[kind], seed=SEED, processes=1)

    print(outcome)
    assert not outcome.findings, "\n".join(map(str, outcome.findings))


@pytest.mark.attack
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", LONG)
def test_damaged_files_by_the_thousand(
    kind: str, more_seeds: Path, tmp_path: Path, campaign_seed: int, campaign_size: float
) -> None:
    count = int(LONG[kind] * campaign_size)

    outcome = attack(kind, more_seeds, tmp_path / "campaign", count=count, seed=campaign_seed)

    print(f"\n{outcome}", flush=True)
    assert not outcome.findings, "\n".join(map(str, outcome.findings[:20]))


def test_every_kind_of_file_is_attacked() -> None:
    assert set(LONG) == set(ATTACKS)
    assert set(SHORT) <= set(LONG)
