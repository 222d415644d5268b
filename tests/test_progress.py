"""A bar where somebody looks, and silence everywhere else."""

import io
import sys

import numpy as np
import pytest
from messages import refused

import fastebm as eb
from fastebm.sampling.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, wanted, screen, n=10):
    monkeypatch.setattr(sys, "stderr", screen)
    bar = Progress(n, "sampling", wanted)
    for k in range(n):
        bar.advance(1, rate=f"{k}")
    bar.close()
    return screen.getvalue()


def test_true_always_shows_it(monkeypatch):
    assert "sampling" in shown(monkeypatch, True, io.StringIO())


def test_it_moves_by_the_steps_made_and_shows_notes(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = Progress(10, "sampling", True)
    for n in (2, 3):
        bar.advance(n, rate=f"{n}")
    assert bar._bar.n == 5
    assert bar._bar.total == 10
    assert bar._bar.postfix == "rate=3"
    bar.close()


def test_auto_waits_a_second_even_on_a_terminal(monkeypatch):
    assert shown(monkeypatch, "auto", Terminal()).strip() == ""


@pytest.mark.parametrize(("wanted", "screen"), [(False, Terminal()), ("auto", io.StringIO())])
def test_silence(monkeypatch, wanted, screen):
    assert shown(monkeypatch, wanted, screen) == ""


def test_without_tqdm_auto_is_silent_and_true_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert shown(monkeypatch, "auto", Terminal()) == ""
    with pytest.raises(ImportError, match=r'pip install "fastebm\[progress\]"'):
        Progress(10, "sampling", True)


@pytest.mark.parametrize("bad", ["yes", None, 2])
def test_other_wishes_are_refused(bad):
    with pytest.raises(ValueError, match=r"progress is .*; pass True, False or 'auto'"):
        Progress(10, "sampling", bad)


def test_a_run_moves_it_to_its_end(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    eb.sample(eb.Gaussian([0.0]), n_chains=2, n_draws=30, n_warmup=50, thin=2, rng=0, progress=True)
    assert "/110" in screen.getvalue()


@pytest.mark.parametrize("wanted", [None, 0, 1, "loud", np.zeros(2), ["auto"]], ids=repr)
def test_what_is_no_wish_is_refused(wanted):
    refused(lambda: Progress(10, "sampling", wanted), "progress is", "pass True, False or 'auto'")


def test_numpys_truth_values(monkeypatch):
    assert shown(monkeypatch, np.bool_(False), Terminal()) == ""
    assert "sampling" in shown(monkeypatch, np.bool_(True), io.StringIO())
