"""Evidence over many runs: e-values that stay small where nothing is wrong, and find what no single run can."""

import json
import math

import numpy as np
import pytest

from fastebm.files import FileFormatError
from fastebm.testing import nightly
from fastebm.testing.ledgers import ALARM, Ledger
from fastebm.testing.nightly import main, pairs
from fastebm.testing.reports import Report, Statistic, Tier


def report(seed, **z):
    statistics = tuple(Statistic(name, value, 0.5) for name, value in z.items())
    return Report("a check", (Tier("tier", "words", (), statistics),), {}, seed)


def test_the_e_value_is_a_mixture_of_likelihood_ratios(tmp_path):
    """exp(s S - s**2 t / 2) averaged over a normal s of standard deviation 1/2, by quadrature."""
    ledger, z = Ledger(tmp_path / "ledger.json"), [0.7, 1.9, -0.4, 2.2]
    for seed, value in enumerate(z):
        ledger.add(report(seed, a=value))
    s, step = np.linspace(-8.0, 8.0, 4001, retstep=True)
    density = np.exp(-0.5 * (s / 0.5) ** 2) / (0.5 * math.sqrt(2.0 * math.pi))
    wanted = float((density * np.exp(s * sum(z) - 0.5 * s**2 * len(z))).sum() * step)
    assert ledger.e_values("a check")["a"] == pytest.approx(wanted, rel=1e-9)


def test_a_bias_that_no_run_can_see_adds_up(tmp_path):
    """Each z is 0.6 too high on average. The sum of 400 is 240 +- 20: the alarm is missed with a chance of 1e-9."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    z = 0.6 + np.random.default_rng(seed).standard_normal(400)
    ledger = Ledger(tmp_path / "ledger.json")
    alarms = [ledger.add(report(n, a=float(value), b=0.0)) for n, value in enumerate(z)]
    assert alarms[0] == []
    assert len(alarms[-1]) == 1, f"seed {seed}"
    assert "a is off by +0." in alarms[-1][0]
    assert ledger.alarms() == alarms[-1]
    assert ledger.e_values("a check")["b"] < 1.0


def test_right_statistics_hardly_ever_reach_an_alarm(tmp_path):
    """By Ville's inequality e-values of 300 ledgers of 50 nights reach 1e3 in at most 0.3 of them on average; more than
    seven have a chance below 1e-9. Without the square root in the denominator it would be most of them."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    z = np.random.default_rng(seed).standard_normal((50, 300))
    ledger = Ledger(tmp_path / "ledger.json")
    largest = np.zeros(300)
    for n, row in enumerate(z):
        ledger.add(report(n, **{f"s{j}": float(value) for j, value in enumerate(row)}))
        largest = np.maximum(largest, [ledger.e_values("a check")[f"s{j}"] for j in range(300)])
    assert (largest >= 1e3).sum() <= 7, f"seed {seed}"
    assert largest.max() < ALARM


def test_one_run_beyond_all_doubt_is_an_alarm(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    assert ledger.add(report(1, a=math.inf, b=math.nan, c=-math.inf, d=1.0)) != []
    assert len(ledger.alarms()) == 3


def test_the_same_seed_is_no_new_evidence(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.add(report(1, a=5.0))
    before = ledger.e_values("a check")
    ledger.add(report(1, a=5.0))
    assert ledger.e_values("a check") == before


def test_the_file_goes_on_where_it_was_left(tmp_path):
    path = tmp_path / "ledger.json"
    Ledger(path).add(report(1, a=3.0))
    Ledger(path).add(report(2, a=3.0))
    whole = Ledger(tmp_path / "whole.json")
    whole.add(report(1, a=3.0))
    whole.add(report(2, a=3.0))
    assert Ledger(path).e_values("a check") == whole.e_values("a check")
    assert list(tmp_path.iterdir()) == [path, tmp_path / "whole.json"] or len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "other"}', '{"format": "fastebm ledger 1"}',
                                  '{"format": "fastebm ledger 1", "checks": {"a": {"seeds": [1]}}}', "\x00"])
def test_what_is_no_ledger_is_refused_and_kept(tmp_path, text):
    path = tmp_path / "ledger.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match="move it away"):
        Ledger(path)
    assert path.read_text() == text


def test_two_nights(tmp_path, capsys, monkeypatch):
    """Every pair once, with a coarse delta; a second night, of a few, adds to the first."""
    path, few = tmp_path / "ledger.json", pairs()[:3]
    assert main([str(path), "--delta", "0.3"]) == 0
    monkeypatch.setattr(nightly, "pairs", lambda: few)
    assert main([str(path), "--delta", "0.3"]) == 0
    text = capsys.readouterr().out
    assert text.count("passed") == len(pairs()) + len(few)
    assert "nothing speaks against any kernel" in text
    held = json.loads(path.read_text())
    nights = [[t for t, _ in check["statistics"].values()] for check in held["checks"].values()]
    assert sum(max(one) == 2 for one in nights) == len(few)
    assert max(max(one) for one in nights) == 2
