"""The training loop: it descends, notes what it did, survives what goes wrong, and says so."""

import math
import signal
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import refused
from training_stubs import Scripted

import fastebm as eb
from fastebm.training.fit import _Batches

DATA = np.random.default_rng(7).normal([1.0, -2.0], [0.5, 3.0], (300, 2))
LINE = DATA[:, :1]
STEP_NOTES = ("energy_gap", "acceptance_rate", "gradient_norm")


@eb.energy(dim=1, theta={"k": 1.0, "m": 0.0})
def spring(x, theta):
    return 0.5 * theta.k * (x[0] - theta.m) ** 2


@eb.energy(dim=1, theta={"depth": 1.0})
def pit(x, theta):
    return theta.depth * math.tanh(x[0]) ** 2  # flat far out: nothing holds particles there


def quiet_fit(*given, **named):
    """A fit whose warnings are not of interest, and these warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = eb.fit(*given, **named)
    assert all(issubclass(one.category, eb.FastebmWarning) for one in seen)
    return result, [str(one.message) for one in seen]


class TestDescent:
    def test_exact_training_finds_the_gaussian_of_the_datas_moments(self):
        fit = eb.fit(
            eb.Gaussian([0.0], 4.0), LINE, eb.MaximumLikelihood(),
            optimizer=eb.SGD(0.2), n_steps=150, batch_size=300, rng=0,
        )
        found = fit.energy.unpack()
        assert found["mean"] == pytest.approx(LINE.mean(axis=0), abs=1e-7)
        assert np.abs(found["precision_factor"]) == pytest.approx(1.0 / LINE.std(axis=0), rel=1e-5)
        assert fit.history["gradient_norm"][-1] < 1e-5 * fit.history["gradient_norm"][0]
        assert fit.history["energy_gap"][-1] == pytest.approx(0.0, abs=1e-5)

    @pytest.mark.parametrize("objective", [eb.ContrastiveDivergence(10), eb.PersistentCD(5)], ids=repr)
    def test_chains_lead_to_the_data_too(self, objective):
        start = eb.Gaussian([6.0, 2.0], [1.0, 1.0])
        fit = eb.fit(start, DATA, objective, optimizer=eb.Adam(0.1, 1e-3), n_steps=1000, validation=DATA)
        best = eb.log_likelihood(eb.Gaussian(DATA.mean(axis=0), DATA.var(axis=0)), DATA).mean()
        likelihood = fit.history["log_likelihood"]
        assert best - likelihood[0] > 10.0
        assert 0.0 < best - likelihood[-1] < 0.01

    def test_the_energy_given_is_left_alone(self):
        start = eb.Gaussian([0.0, 0.0])
        theta = start.theta.copy()
        fit = eb.fit(start, DATA, n_steps=5, rng=0)
        assert np.array_equal(start.theta, theta)
        assert not np.array_equal(fit.energy.theta, theta)
        assert fit.energy.program is start.program  # nothing is compiled again


class TestReproducible:
    @given(seed=st.integers(0, 2**64))
    @settings(max_examples=2)
    def test_same_bits_for_any_number_of_threads_and_again(self, seed):
        def train(n_threads):
            start = eb.MLP(2, (4, 3), center=DATA.mean(axis=0), scale=DATA.std(axis=0))
            return eb.fit(
                start, DATA, eb.PersistentCD(2, 700), optimizer=eb.SGD(1e-3, momentum=0.5),
                n_steps=12, batch_size=200, rng=seed, n_threads=n_threads,
            )

        fits = [train(n_threads) for n_threads in (1, 2, 3, 2)]
        for other in fits[1:]:
            assert other.energy.theta.tobytes() == fits[0].energy.theta.tobytes()
            assert other.particles.tobytes() == fits[0].particles.tobytes()
            assert {key: value.tobytes() for key, value in other.history.items()} == {
                key: value.tobytes() for key, value in fits[0].history.items()
            }

    def test_the_noted_seed_repeats_an_unseeded_training(self):
        first = eb.fit(eb.Gaussian([0.0, 0.0]), DATA, n_steps=5)
        again = eb.fit(eb.Gaussian([0.0, 0.0]), DATA, n_steps=5, rng=first.seed)
        assert first.energy.theta.tobytes() == again.energy.theta.tobytes()
        other = eb.fit(eb.Gaussian([0.0, 0.0]), DATA, n_steps=5)
        assert not np.array_equal(first.energy.theta, other.energy.theta)

    def test_validation_and_progress_change_nothing(self, capsys):
        plain = eb.fit(eb.Gaussian([0.0, 0.0]), DATA, n_steps=30, rng=1, progress=False)
        watched = eb.fit(eb.Gaussian([0.0, 0.0]), DATA, n_steps=30, rng=1, validation=DATA[:9], progress=True)
        assert plain.energy.theta.tobytes() == watched.energy.theta.tobytes()
        assert "training" in capsys.readouterr().err


class TestHistory:
    @pytest.mark.parametrize("n_steps", [1, 19, 39, 40, 101])
    def test_lengths(self, n_steps):
        fit = eb.fit(eb.Gaussian([1.0, -2.0], 4.0), DATA, n_steps=n_steps, validation=DATA[:50], rng=0)
        assert set(fit.history) == {*STEP_NOTES, "step", "log_likelihood"}
        assert {len(fit.history[name]) for name in STEP_NOTES} == {n_steps}
        looks = fit.history["step"]
        assert len(looks) == len(fit.history["log_likelihood"]) <= 21
        assert looks[0] == 0
        assert looks[-1] == n_steps
        assert (np.diff(looks) > 0).all()
        assert len(np.unique(np.diff(looks)[:-1])) <= 1

    @pytest.mark.parametrize("start", [eb.DoubleWell(1), eb.Gaussian([0.3]), eb.MLP(1, (3,))], ids=lambda one: one.name)
    def test_held_out_likelihood_is_the_exact_one(self, start):
        fit = eb.fit(start, LINE[:200], n_steps=20, validation=LINE[200:], rng=0)
        for energy, noted in zip((start, fit.energy), fit.history["log_likelihood"][[0, -1]], strict=True):
            assert noted == pytest.approx(eb.log_likelihood(energy, LINE[200:]).mean(), abs=1e-6)

    def test_it_is_noted_in_any_dimension_with_a_closed_form_only(self):
        wide = np.random.default_rng(0).standard_normal((50, 5))
        assert len(eb.fit(eb.Gaussian(np.zeros(5)), wide, n_steps=3, validation=wide, rng=0).history["step"]) == 4
        assert len(eb.fit(eb.MLP(5, (3,)), wide, n_steps=3, validation=wide, rng=0).history["step"]) == 0

    def test_exact_training_has_no_chains(self):
        fit = eb.fit(spring, LINE, eb.MaximumLikelihood(), n_steps=3, rng=0)
        assert fit.particles is None
        assert np.isnan(fit.history["acceptance_rate"]).all()
        assert np.isfinite(fit.history["energy_gap"]).all()

    def test_settings_name_everything_that_was_asked_for(self):
        fit = eb.fit(spring, LINE, eb.PersistentCD(3, 20), optimizer=eb.SGD(0.01), n_steps=2, batch_size=10**6, rng=5)
        assert fit.settings["objective"] == "PersistentCD(k=3, n_particles=20)"
        assert fit.settings["optimizer"] == "SGD(learning_rate=0.01, final_rate=0.01, momentum=0.0)"
        assert (fit.settings["n_steps"], fit.settings["batch_size"], fit.seed) == (2, len(LINE), 5)
        assert fit.particles.shape == (20, 1)
        assert not fit.interrupted


class TestBatches:
    @given(n=st.integers(1, 40), size=st.integers(1, 40), seed=st.integers(0, 2**32), n_batches=st.integers(1, 30))
    def test_every_row_is_used_before_any_is_used_again(self, n, size, seed, n_batches):
        size = min(n, size)
        data = np.arange(float(n))[:, None]
        batches = _Batches(data, size, seed)
        counts = np.zeros(n, int)
        for _ in range(n_batches):
            rows = batches.next()[:, 0].astype(int)
            assert len(rows) == size
            assert len(set(rows)) == size
            counts[rows] += 1
        assert counts.max() - counts.min() <= 1

    def test_order_is_shuffled_anew(self):
        batches = _Batches(np.arange(50.0)[:, None], 25, 0)
        first, _, second = (batches.next()[:, 0] for _ in range(3))
        assert sorted(first) != list(first)
        assert not np.array_equal(first, second)

    def test_a_batch_of_everything_keeps_the_order(self):
        data = np.arange(5.0)[:, None]
        assert np.array_equal(_Batches(data, 5, 0).next(), data)


class TestInterrupt:
    def test_one_ctrl_c_keeps_the_model_so_far(self):
        objective = Scripted(at={5: lambda: signal.raise_signal(signal.SIGINT)})
        handler = signal.getsignal(signal.SIGINT)
        fit, messages = quiet_fit(spring, LINE, objective, optimizer=eb.SGD(0.1), n_steps=100, validation=LINE, rng=0)
        assert fit.interrupted
        assert messages == ["interrupted after 6 of 100 steps; fit.energy is the model so far."]
        assert len(fit.history["energy_gap"]) == 6
        assert fit.history["step"][-1] == 6
        assert fit.energy.theta == pytest.approx(spring.theta - 6 * 0.1)
        assert signal.getsignal(signal.SIGINT) is handler

    def test_a_second_one_breaks_off_at_once(self):
        def twice():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            eb.fit(spring, LINE, Scripted(at={2: twice}), n_steps=100, rng=0)


class TestDivergence:
    def test_a_gradient_that_is_not_finite(self):
        fit, (message,) = quiet_fit(spring, LINE, Scripted(gradients={4: math.nan}), optimizer=eb.SGD(0.1), n_steps=9)
        assert "stopped at step 4 of 9: the gradient is not finite" in message
        assert "learning rate" in message
        assert fit.interrupted
        assert len(fit.history["gradient_norm"]) == 4
        assert fit.energy.theta == pytest.approx(spring.theta - 3 * 0.1)  # the step that led to nan is taken back

    @pytest.mark.parametrize("optimizer", [eb.SGD(1e200), eb.Adam(1.0)], ids=repr)
    def test_numbers_that_overflow(self, optimizer):
        fit, (message,) = quiet_fit(spring, LINE, Scripted(gradients={3: 1e300}), optimizer=optimizer, n_steps=9)
        assert "stopped at step 3" in message
        assert "overflow" in message
        assert np.isfinite(fit.energy.theta).all()

    def test_particles_that_the_energy_does_not_hold(self):
        fit, messages = quiet_fit(pit, LINE, eb.PersistentCD(5, 200), n_steps=3000, rng=0)
        assert "stopped at step" in messages[0]
        assert "away from the data, which this energy does not hold" in messages[0]
        assert np.isfinite(fit.energy.theta).all()
        assert fit.interrupted

    @pytest.mark.parametrize("scale", [1e-9, 1e9])
    def test_far_is_measured_in_units_of_the_data(self, scale):
        data = scale * LINE
        start = eb.Gaussian(data.mean(axis=0), data.var(axis=0))
        eb.fit(start, data, eb.PersistentCD(1, 50), optimizer=eb.SGD(1e-30), n_steps=20, rng=0)
        _, messages = quiet_fit(
            start, data, Scripted(reaches={3: 2e3}), optimizer=eb.SGD(1e-30), n_steps=9
        )
        assert "2e+03 standard deviations away" in messages[0]

    def test_the_model_returned_is_the_last_whose_particles_were_near(self):
        objective = Scripted(reaches={4: 50.0, 5: 200.0, 6: 2e3})
        fit, _ = quiet_fit(spring, LINE, objective, optimizer=eb.SGD(0.1), n_steps=20)
        assert fit.energy.theta == pytest.approx(spring.theta - 3 * 0.1)

    def test_exact_training_of_an_energy_that_stops_being_confining(self):
        fit, messages = quiet_fit(
            spring, 3.0 * LINE, eb.MaximumLikelihood(), optimizer=eb.SGD(1.0), n_steps=50, validation=LINE, rng=0
        )
        assert "stopped at step" in messages[0]
        assert fit.energy.unpack()["k"] > 0.0
        assert math.isfinite(eb.log_partition(fit.energy).value)
        assert math.isfinite(fit.history["log_likelihood"][-1])

    def test_a_start_without_a_finite_integral_is_refused(self):
        refused(
            lambda: eb.fit(spring.with_theta(k=-1.0), LINE, eb.MaximumLikelihood()), "spring",
            kind=eb.NotNormalisableError,
        )


class TestWarnings:
    def test_a_model_without_a_finite_integral(self):
        fit, messages = quiet_fit(pit, LINE, Scripted(), optimizer=eb.SGD(1e-3), n_steps=3, validation=LINE)
        assert np.isnan(fit.history["log_likelihood"]).all()
        assert "no finite integral" in messages[-1]
        assert "confines" in messages[-1]

    def test_chains_that_lag(self):
        _, (message,) = quiet_fit(spring, LINE, Scripted(gap=5.0, spread=1.0), optimizer=eb.SGD(1e-6), n_steps=30)
        assert "5 away" in message
        assert "lag behind the model; raise k" in message

    @pytest.mark.parametrize("notes", [
        {"gap": 2.0, "spread": 1.0}, {"gap": 5.0, "spread": 0.0}, {"gap": 5.0, "spread": 1.0, "n_particles": None},
    ], ids=["close", "one particle", "exact"])
    def test_chains_that_do_not(self, notes):
        assert quiet_fit(spring, LINE, Scripted(**notes), optimizer=eb.SGD(1e-6), n_steps=30)[1] == []

    def test_an_energy_that_is_nan(self):
        half = eb.energy(1, {"k": 1.0})(lambda x, theta: theta.k * x[0] - math.log(4.0 - x[0]))
        _, messages = quiet_fit(half, LINE, eb.PersistentCD(5, kernel=eb.RandomWalk(2.0)), n_steps=10, rng=0)
        assert "was nan or -inf" in messages[0]
        assert "return math.inf outside the support" in messages[0]

    def test_where_the_user_stands(self):
        with pytest.warns(eb.FastebmWarning, match="lag") as seen:
            eb.fit(spring, LINE, Scripted(gap=9.0, spread=1.0), n_steps=3)
        assert seen[0].filename == __file__


class TestArguments:
    @pytest.mark.parametrize(("data", "words"), [
        ([[0.0], [math.nan]], ("data[1, 0]", "nan")),
        ([[math.inf]], ("data[0, 0]", "inf")),
        (np.ones((4, 2)), ("data", "(4, 2)", "dim=1")),
        (np.ones(4), ("data", "(4,)")),
        (np.ones((0, 1)), ("data", "no rows")),
        ([[1.0], [1.0, 2.0]], ("data", "different lengths")),
    ], ids=["nan", "inf", "wide", "flat", "empty", "ragged"])
    def test_data(self, data, words):
        refused(lambda: eb.fit(spring, data), *words)
        refused(lambda: eb.fit(spring, LINE, validation=data), *(word.replace("data", "validation") for word in words))

    @pytest.mark.parametrize("data", [[["a"]], [[1j]], [[None]]])
    def test_data_of_other_kinds(self, data):
        refused(lambda: eb.fit(spring, data), "data", "dtype", kind=TypeError)

    def test_data_outside_the_domain(self):
        walled = eb.energy(1, {"k": 1.0}, domain=[(0.0, 1.0)])(lambda x, theta: theta.k * x[0])
        refused(lambda: eb.fit(walled, [[0.5], [1.5]]), "data[1]", "1.5", "domain")
        refused(lambda: eb.fit(walled, [[0.5]], validation=[[-1.0]]), "validation[0]", "domain")

    def test_data_without_an_energy(self):
        hole = eb.energy(1, {"k": 1.0})(lambda x, theta: eb.where(x[0] > 2.0, math.inf, theta.k * x[0] ** 2))
        refused(lambda: eb.fit(hole, [[1.0], [3.0]]), "inf", "data[1]", "3.0")

    def test_nothing_to_fit(self):
        refused(lambda: eb.fit(eb.energy(1)(lambda x: x[0] ** 2), LINE), "no parameters")

    def test_wrong_kinds(self):
        fit = eb.fit(spring, LINE, n_steps=1)
        for call, word in (
            (lambda: eb.fit(fit, LINE), "energy is of type Fit"),
            (lambda: eb.fit(spring, LINE, eb.PersistentCD), "objective is of type"),
            (lambda: eb.fit(spring, LINE, 0), "objective is of type int"),
            (lambda: eb.fit(spring, LINE, optimizer=0.01), "optimizer is of type float"),
            (lambda: eb.fit(spring, LINE, rng="seed"), "rng"),
        ):
            refused(call, word, kind=TypeError)

    @pytest.mark.parametrize("name", ["n_steps", "batch_size", "n_threads"])
    @pytest.mark.parametrize("value", [0, -3, 2.0, "many", True])
    def test_counts(self, name, value):
        refused(lambda: eb.fit(spring, LINE, **{name: value}), name, repr(value))

    def test_other_options(self):
        refused(lambda: eb.fit(spring, LINE, rng=-1), "rng", "-1")
        refused(lambda: eb.fit(spring, LINE, n_steps=1, progress="yes"), "progress", "'yes'")
