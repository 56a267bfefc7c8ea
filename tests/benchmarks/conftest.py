"""Figures are printed past pytest's capture, which keeps the libraries' noise."""

from collections.abc import Callable

import pytest


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure."""

    def say(text: str) -> None:
        with capfd.disabled():
            print(f"\n{text}", flush=True)

    return say
