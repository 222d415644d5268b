"""The C reference samples the laws that it says, takes the right gradients, and is absent in one sentence."""

import math
import sys

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from reference_laws import ALPHA, VARIANTS, exact_acceptance, has_library, law_faults, normality_faults

from benchmarks import cases, machine, reference, targets


def walk_faults(library, variant, mean, variances, step, told_mean=None, told_variances=None):
    """What is off at ALPHA after 64 transitions from exact starts; the reference may be told another target."""
    n_blocks, n_steps = 64, 64
    n, dim = n_blocks * reference.BLOCK, len(mean)
    starts = mean + np.sqrt(variances) * np.random.default_rng().standard_normal((n, dim))
    positions = reference.blocks(starts)
    accepted = np.zeros((n_blocks, reference.BLOCK), dtype=np.int64)
    library.gaussian_chains(
        "random_walk", variant, positions, reference.fresh_streams(n_blocks), mean if told_mean is None else told_mean,
        1.0 / (variances if told_variances is None else told_variances), step, n_steps, accepted,
    )
    return law_faults(
        positions.transpose(0, 2, 1).reshape(n, dim), accepted.ravel() / n_steps, mean, variances,
        exact_acceptance(variances, step),
    )


def langevin_faults(variant, eps, told_mean=None, told_precision=None, told_eps=None):
    """What is off at ALPHA after 64 transitions from exact starts, when the reference is told this."""
    n_blocks, n_steps = 64, 64
    n = n_blocks * reference.BLOCK
    target = targets.langevin(10)
    mean, precision = target.parameters
    positions = reference.blocks(target.starts(n))
    accepted = np.zeros((n_blocks, reference.BLOCK), dtype=np.int64)
    reference.load().gaussian_chains(
        "langevin", variant, positions, reference.fresh_streams(n_blocks), mean if told_mean is None else told_mean,
        precision if told_precision is None else told_precision, eps if told_eps is None else told_eps, n_steps,
        accepted,
    )
    x = target.starts(1_000_000)
    slopes = precision * (x - mean)
    y = x - eps * slopes + math.sqrt(2.0 * eps) * np.random.default_rng().standard_normal(x.shape)
    there, back = y - x + eps * slopes, x - y + eps * precision * (y - mean)
    log_ratios = ((precision * (x - mean) ** 2 - precision * (y - mean) ** 2) / 2.0).sum(axis=1)
    log_ratios += ((there**2 - back**2) / (4.0 * eps)).sum(axis=1)
    chances = np.exp(np.minimum(0.0, log_ratios))
    return law_faults(
        positions.transpose(0, 2, 1).reshape(n, 10), accepted.ravel() / n_steps, mean, 1.0 / precision,
        chances.mean(), chances.std() / 1000.0,
    )


def trajectory_faults(variant, eps, told_mean=None, told_precision=None, told_n=targets.N_LEAPFROG):
    """What is off at ALPHA after 16 transitions from exact starts, when the reference is told this."""
    n_blocks, n_steps = 64, 16
    n = n_blocks * reference.BLOCK
    target = targets.hamiltonian(10)
    mean, precision = target.parameters
    positions = reference.blocks(target.starts(n))
    accepted = np.zeros((n_blocks, reference.BLOCK), dtype=np.int64)
    reference.load().trajectories(
        variant, positions, reference.fresh_streams(n_blocks), mean if told_mean is None else told_mean,
        precision if told_precision is None else told_precision, eps, told_n, n_steps, accepted,
    )
    x = target.starts(200_000)
    v = np.random.default_rng().standard_normal(x.shape)
    away, speed = x - mean, v - 0.5 * eps * precision * (x - mean)
    for _ in range(targets.N_LEAPFROG):
        away = away + eps * speed
        speed = speed - eps * precision * away
    speed += 0.5 * eps * precision * away
    log_ratios = 0.5 * (precision * ((x - mean) ** 2 - away**2) + v**2 - speed**2).sum(axis=1)
    chances = np.exp(np.minimum(0.0, log_ratios))
    return law_faults(
        positions.transpose(0, 2, 1).reshape(n, 10), accepted.ravel() / n_steps, mean, 1.0 / precision,
        chances.mean(), chances.std() / math.sqrt(len(x)),
    )


def mixture_faults(variant, target, centres):
    """What is off at ALPHA after 64 transitions from exact starts, when the reference is told these centres."""
    n_blocks, n_steps = 64, 64
    n = n_blocks * reference.BLOCK
    positions = reference.blocks(target.starts(n))
    accepted = np.zeros((n_blocks, reference.BLOCK), dtype=np.int64)
    reference.load().mixture_walk(
        variant, positions, reference.fresh_streams(n_blocks), centres, target.step_size, n_steps, accepted
    )
    x = positions.transpose(0, 2, 1).reshape(n, 2)
    radii, turns = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    exact = target.starts(1_000_000)
    seen = {"x": x[:, 0], "y": x[:, 1], "radius": radii, "radius**2": radii**2, "eight turns": np.cos(8.0 * turns)}
    true = np.hypot(*exact.T)
    wanted = {
        "x": exact[:, 0], "y": exact[:, 1], "radius": true, "radius**2": true**2,
        "eight turns": np.cos(8.0 * np.arctan2(exact[:, 1], exact[:, 0])),
    }
    limit = scipy.stats.norm.isf(ALPHA / (2 * len(seen)))
    return [
        name for name, values in seen.items()
        if not abs(values.mean() - wanted[name].mean())
        < limit * math.hypot(values.std() / math.sqrt(n), wanted[name].std() / 1000.0)
    ]


class TestReference:
    @VARIANTS
    def test_normals_are_normal_and_independent(self, variant):
        if not has_library():
            return
        rows = np.empty((2**14, reference.BLOCK))
        reference.load().normals(variant, rows, reference.fresh_streams(1)[0], 1)
        assert normality_faults(rows) == []

    def test_the_check_of_normals_catches_what_is_wrong(self):
        rows = np.random.default_rng().standard_normal((2**14, reference.BLOCK))
        assert normality_faults(1.01 * rows)
        assert normality_faults(rows + 0.01)
        assert normality_faults(np.full_like(rows, math.nan))
        assert normality_faults(np.repeat(rows[:, ::2], 2, axis=1))
        same_sign = rows.copy()
        same_sign[1::2] = np.copysign(rows[1::2], rows[::2])
        assert normality_faults(same_sign) == ["product, rows of a pair"]

    @VARIANTS
    def test_repeats_go_on_where_the_streams_are(self, variant):
        if not has_library():
            return
        library, streams = reference.load(), reference.fresh_streams(1)[0]
        again = streams.copy()
        first, both, last = np.empty((8, 64)), np.empty((16, 64)), np.empty((8, 64))
        library.normals(variant, both, streams, 1)
        library.normals(variant, first, again, 1)
        library.normals(variant, last, again, 1)
        assert np.array_equal(np.concatenate([first, last]), both)
        assert np.array_equal(streams, again)

    @VARIANTS
    @given(
        st.integers(1, 5).flatmap(lambda half: st.lists(st.floats(-2.0, 2.0), min_size=2 * half, max_size=2 * half)),
        st.floats(0.7, 2.4),
    )
    def test_the_walk_stays_in_its_law_and_accepts_as_often_as_it_should(self, variant, numbers, step):
        if not has_library():
            return
        mean = 3.0 * np.array(numbers)
        variances = np.exp(numbers[::-1])
        step *= math.sqrt(variances.mean() / len(mean))
        assert walk_faults(reference.load(), variant, mean, variances, step) == []

    @VARIANTS
    def test_a_wrong_target_is_caught(self, variant):
        if not has_library():
            return
        mean, precision = targets.gaussian(10).parameters
        target = (reference.load(), variant, mean, 1.0 / precision, targets.gaussian(10).step_size)
        assert walk_faults(*target, told_mean=0.0 * mean)
        assert walk_faults(*target, told_variances=np.full(10, (1.0 / precision).mean()))
        assert walk_faults(*target, told_variances=1.3 / precision)

    @VARIANTS
    def test_the_walk_on_the_mixture(self, variant):
        if not has_library():
            return
        target = targets.mixture()
        assert mixture_faults(variant, target, target.parameters[0]) == []
        assert mixture_faults(variant, target, 1.1 * target.parameters[0])
        assert mixture_faults(variant, target, np.append(target.parameters[0][:-1], [[0.0, 0.0]], axis=0))

    @VARIANTS
    def test_the_langevin_algorithm(self, variant):
        if not has_library():
            return
        mean, precision = targets.langevin(10).parameters
        assert langevin_faults(variant, 1.4) == []
        assert langevin_faults(variant, 0.6) == []
        assert langevin_faults(variant, 1.4, told_mean=mean + 0.2)
        assert langevin_faults(variant, 1.4, told_precision=1.1 * precision)
        assert "acceptance" in langevin_faults(variant, 1.4, told_eps=1.3)

    @VARIANTS
    def test_trajectories(self, variant):
        if not has_library():
            return
        mean, precision = targets.hamiltonian(10).parameters
        assert trajectory_faults(variant, 1.7) == []
        assert trajectory_faults(variant, 1.3) == []
        assert trajectory_faults(variant, 1.7, told_mean=mean + 0.3)
        assert trajectory_faults(variant, 1.7, told_precision=1.1 * precision)
        assert "acceptance" in trajectory_faults(variant, 1.7, told_n=9)

    @pytest.mark.parametrize("dim", [2, 3, 8, 32, 1000])
    def test_the_gradient_of_rosenbrock(self, dim):
        if not has_library():
            return
        case = cases.rosenbrock(dim)
        positions = reference.blocks(case.points)
        out = np.full_like(positions, np.nan)
        reference.load().rosenbrock_grad(positions, out, 2)
        wanted = case.energy.grad(case.points)
        got = out.transpose(0, 2, 1).reshape(-1, dim)
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12 * np.abs(wanted).max())

    def test_loading_it_leaves_the_arithmetic_of_the_process_alone(self):
        if has_library():
            reference.load()
            assert math.ulp(0.0) * np.float64(1.0) > 0.0
            assert np.float64(sys.float_info.min) / 2.0 > 0.0

    def test_acceptance_in_one_dimension_is_the_known_closed_form(self):
        assert exact_acceptance(np.array([4.0]), 3.0) == pytest.approx(2.0 / math.pi * math.atan(2.0 / 1.5), rel=1e-10)

    def test_an_odd_number_of_rows_is_refused(self):
        if has_library():
            with pytest.raises(ValueError, match="pairs of rows and got 3 rows; pass an even number"):
                reference.load().normals("polynomial", np.empty((3, 64)), reference.fresh_streams(1)[0], 1)

    def test_without_gcc_the_figures_are_absent_and_one_sentence_says_so(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        reference.load.cache_clear()
        with pytest.raises(reference.NoReferenceError, match=r"^gcc was not found on PATH, .*; install gcc"):
            reference.load()
        field = reference.field(lambda library, variant: pytest.fail("there is nothing to measure"))
        assert [contestant.absent for contestant in field.contestants] == ["absent", "absent"]
        assert len(field.notes) == 1
        assert machine.describe()["gcc"] == "none"

    def test_a_compiler_that_fails_is_quoted(self, monkeypatch, tmp_path):
        compiler = tmp_path / "broken"
        compiler.write_text("#!/bin/sh\necho 'reference.c:1: error: out of luck' >&2\nexit 1\n")
        compiler.chmod(0o755)
        monkeypatch.setattr(reference, "_COMPILER", str(compiler))
        with pytest.raises(reference.NoReferenceError, match=r"could not build the C reference .*out of luck"):
            reference.Reference()
