"""The adapters in docs/samplers: each sampler of each library that is installed, before check_kernel."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "samplers"))
import table

from fastebm.testing import check_kernel

SAMPLERS = table.samplers()
WRONG = "the same, clipped at walls"


def test_numpy_and_emcee_are_always_there():
    assert {"Barker's rule, NumPy", "the same between walls", WRONG} < set(SAMPLERS)
    assert any(name.startswith("emcee") for name in SAMPLERS)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_the_kit_says(name):
    step, energy, options = SAMPLERS[name]
    report = check_kernel(step, energy, delta=0.2, **options)
    assert report.verdict == ("failed" if name == WRONG else "passed"), str(report)


def test_the_page_shows_them_all():
    """Each sampler that is here has a row, whatever the version."""
    page = (Path(__file__).parents[1] / "docs" / "testing.md").read_text()
    for name in SAMPLERS:
        library, _, kind = name.partition(", ")
        assert f"| {library.split(' ')[0]}" in page
        assert kind in page
