"""Reports: a verdict that fails closed, words, and an error that says how to see the same again."""

import pytest

from fastebm.testing.reports import CheckError, Report, Statistic, Tier

FINE = Tier("one", "all was looked at", (), (Statistic("a", 0.5, 0.6, "a is off"),))
BAD = Tier("two", "something was seen", ("it is wrong",), (Statistic("b", 9.0, 1e-19, "b is off"),))


def report(*tiers, skipped=None, unjudged=""):
    return Report("kernel on energy", tiers, skipped or {}, 17, unjudged=unjudged)


def test_passed():
    one = report(FINE, skipped={"three": "there is no twin"})
    assert one.passed
    assert one.verdict == "passed"
    assert one.p_values == {"a": 0.6}
    one.raise_if_failed()
    assert str(one).splitlines() == [
        "kernel on energy: passed (seed 17)", "  one: all was looked at", "  three: not run, since there is no twin"
    ]


def test_failed():
    one = report(FINE, BAD)
    assert one.verdict == "failed"
    assert one.faults == ("it is wrong",)
    assert [each.name for each in one.statistics] == ["a", "b"]
    with pytest.raises(CheckError, match=r"it is wrong\nThe same again: rng=17\."):
        one.raise_if_failed()
    assert "FAILED: it is wrong" in str(one)


def test_not_judged_is_no_pass():
    one = report(FINE, unjudged="no law is known")
    assert one.verdict == "not judged"
    assert not one.passed
    with pytest.raises(CheckError, match="kernel on energy could not be judged, since no law is known"):
        one.raise_if_failed()
    assert "NOT JUDGED" in str(one)


def test_a_fault_counts_more_than_what_could_not_be_judged():
    assert report(BAD, unjudged="no law is known").verdict == "failed"


def test_a_check_error_is_an_assertion():
    assert issubclass(CheckError, AssertionError)
