"""One hypothesis profile for all tests, one precision of mpmath, and what counts compilations.

Seeds are drawn, never pinned: a law has to hold for each of them.

NUMBA_CACHE_DIR is left alone: fastebm names its compiled files by a digest of the library's sources and flags, so that
an edit anywhere compiles anew, nothing stale can come back, and a second run of the tests finds its code on disk.
"""

import gc
import logging
import os
import signal

import mpmath
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fastebm",
    deadline=None,  # the first call of a compiled function compiles it
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),  # a gate gives one commit one verdict; other runs go on exploring
    suppress_health_check=[HealthCheck.too_slow],  # compilation again
)
settings.load_profile("fastebm")
mpmath.mp.dps = 50


def pytest_configure():
    """Programs that a shell starts in the background ignore Ctrl-C, of which some tests make sure."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """Thousands of tests and all that they import stay; the collector need not look through them again and again."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def compilations(caplog):
    """How many functions have been compiled since the last call."""
    caplog.set_level(logging.INFO, "fastebm")

    def count():
        n = sum(record.getMessage().startswith("compiling") for record in caplog.records)
        caplog.clear()
        return n

    return count
