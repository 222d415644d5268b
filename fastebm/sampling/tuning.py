"""What warm-up learns from all chains together: the step size, the shape of the law, the length of trajectories."""

import math
from typing import NamedTuple

import numpy as np

from fastebm._checks import FloatArray
from fastebm.kernels import Kernel
from fastebm.sampling.ladders import Ladder

_ROUND = 25  # most transitions between two adjustments, unless that were too few rounds
_LEAST_ROUNDS = 100
_LEAST_SEEN = 32  # transitions of all chains in a round: fewer would be noise
_FARTHEST = 8.0  # that log step may go from where it began; what asks for more has no scale at all
_LOOKS = (3 / 4, 3 / 8, 3 / 16, 3 / 32, 3 / 64)  # of the rounds, when the shape is taken from what was seen
_SHORTER = {1: 1.0 / 4.0, 3: 1.0 / 32.0}  # of every four rounds
_PATH_AFTER = 6  # rounds in which the first step size settles


class Tuned(NamedTuple):
    """What is frozen after warm-up.

    Attributes
    ----------
    step_size : in coordinates freed of their scale; of kernels made of several rules, one of each.
    scale : (dim,) relative widths of the coordinates, or (dim, dim) a lower triangular root of their relative
        covariance; geometric mean of the diagonal 1.
    path_length : of trajectories, for kernels that tune it.
    betas : the ladder of inverse temperatures, for kernels that have one.
    """

    step_size: float | FloatArray
    scale: FloatArray
    path_length: float | None = None
    betas: FloatArray | None = None


class DualAveraging:
    """The step size that gives the target acceptance rate: Nesterov's dual averaging of log step.

    References
    ----------
    Y. Nesterov (2009), Primal-dual subgradient methods for convex problems, doi:10.1007/s10107-007-0149-x.
    M. D. Hoffman and A. Gelman (2014), The No-U-Turn Sampler, Journal of Machine Learning Research 15, section 3.2.
    """

    def __init__(self, first: float | FloatArray, target: float | FloatArray) -> None:
        self.target = target
        self.restart(first)

    def restart(self, first: float | FloatArray) -> None:
        """Forget what was learnt, and go on from this step."""
        log_first = np.log(first)
        nothing = np.zeros_like(log_first)
        self.numbers = np.array([log_first, log_first, log_first, nothing, nothing, first])

    def adjust(self, rate: float | FloatArray) -> None:
        """Learn from the acceptance rate of the last round; nan teaches nothing."""
        center, log_step, mean, error, n, first = self.numbers
        is_seen = ~np.isnan(rate)
        n = n + 1.0
        error = error + (self.target - np.where(is_seen, rate, self.target) - error) / (n + 10.0)
        log_step = center - np.clip(np.sqrt(n) / 0.05 * error, -_FARTHEST, _FARTHEST)
        mean = mean + n**-0.75 * (log_step - mean)
        self.numbers = np.where(is_seen, np.array([center, log_step, mean, error, n, first]), self.numbers)

    @property
    def current(self) -> float | FloatArray:
        return self._step(1)

    @property
    def settled(self) -> float | FloatArray:
        return self._step(2)

    def _step(self, row: int) -> float | FloatArray:
        """What a row of logarithms stands for; to the bit the first step where nothing was learnt."""
        step = np.where(self.numbers[4] > 0.0, np.exp(np.clip(self.numbers[row], -300.0, 300.0)), self.numbers[5])
        return float(step) if step.ndim == 0 else step


class Shape:
    """Means, and variances or a covariance, of positions that come round by round."""

    def __init__(self, dim: int, is_dense: bool) -> None:
        self.is_dense = is_dense
        self.n = 0
        self.mean = np.zeros(dim)
        self.squares = np.zeros((dim, dim) if is_dense else dim)

    def add(self, X: FloatArray) -> None:
        """Take in positions (n, dim)."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean = X.mean(axis=0)
            away, apart = X - mean, mean - self.mean
            n = self.n + len(X)
            share = self.n * len(X) / n
            if self.is_dense:
                self.squares += away.T @ away + share * np.outer(apart, apart)
            else:
                self.squares += (away**2).sum(axis=0) + share * apart**2
            self.mean += apart * (len(X) / n)
            self.n = n

    def scale(self) -> FloatArray | None:
        """Widths or a root of the covariance, drawn towards equal widths where points are few; None if none is seen."""
        dim = len(self.mean)
        variances = np.diag(self.squares) if self.is_dense else self.squares
        with np.errstate(divide="ignore", invalid="ignore"):
            log_width = 0.5 * np.log(variances / max(self.n, 1))
        if not np.isfinite(log_width).all():
            return None
        widths = np.exp(self.n / (self.n + 5.0) * (log_width - log_width.mean()))
        if not self.is_dense:
            return np.asarray(widths)
        deviations = np.sqrt(variances)
        correlations = self.squares / np.outer(deviations, deviations)
        trust = self.n / (self.n + 5.0 * dim)
        root = np.linalg.cholesky(trust * correlations + (1.0 - trust) * np.eye(dim))
        root *= widths[:, None]
        return np.asarray(root / math.exp(float(np.log(np.diag(root)).mean())))


class Path:
    """The length of trajectories, by Adam on its logarithm, upwards along ChEES.

    References
    ----------
    M. D. Hoffman, A. Radul and P. Sountsov (2021), Proceedings of Machine Learning Research 130.
    D. P. Kingma and J. Ba (2015), Adam, arXiv:1412.6980.
    """

    def __init__(self) -> None:
        self.numbers = np.array([math.nan, math.nan, 0.0])  # log path, its mean, mean square of signals

    def begin(self, length: float) -> None:
        self.numbers[:] = math.log(length), math.log(length), 0.0

    def adjust(self, slope: float, weight: float, place: int) -> None:
        """Learn from what trajectories told in the last round: a sum of slopes, and of their weights."""
        log_path, mean, square = self.numbers
        if weight > 0.0 and math.isfinite(slope) and not math.isnan(log_path):
            square = 0.9 * square + 0.1 * (slope / weight) ** 2
            rate = max(0.05, 0.5 / math.sqrt(1.0 + place))
            if square > 0.0:
                log_path += rate * min(max(slope / weight / math.sqrt(square), -1.0), 1.0)
            mean += 0.1 * (log_path - mean)
        self.numbers = np.array([log_path, mean, square])

    def length(self, *, settled: bool = False) -> float | None:
        log_path = self.numbers[1 if settled else 0]
        return None if math.isnan(log_path) else math.exp(log_path)


class Tuner:
    """The warm-up of a kernel that tunes its step, round by round.

    Every other round before the last look goes by shorter steps: a chain in a steep tail, where those that suit the
    bulk are all rejected, slides down by them. The shape of the law is looked at again each time the number of rounds
    has doubled: as it comes right, steps grow and the wide directions show how wide they are. The last quarter of the
    rounds tunes the step for the last shape.

    Parameters
    ----------
    kernel : with a step size of None.
    dim : dimension.
    n_warmup : transitions, at least 1.
    n_chains : chains that are pooled.

    Attributes
    ----------
    n_rounds : how many there are.
    place : rounds that are over.
    """

    def __init__(self, kernel: Kernel, dim: int, n_warmup: int, n_chains: int) -> None:
        self.kernel, self.dim = kernel, dim
        shortest = -(-_LEAST_SEEN // n_chains)
        self.n_warmup = n_warmup
        self.n_rounds = max(1, n_warmup // _ROUND, min(n_warmup // shortest, _LEAST_ROUNDS))
        self.looks = sorted({int(self.n_rounds * share) for share in _LOOKS} - {0})
        self.place = 0
        self.step = DualAveraging(kernel.first_step_size(dim), kernel.target_acceptance(dim))
        self.scale = np.ones(dim)
        self.path = Path() if kernel.tunes_path else None
        self.ladder = None if not kernel.tunes_ladder or kernel.betas is None else Ladder(kernel.betas)
        self.told = np.zeros(kernel.n_memory(dim))
        self.center = np.zeros(dim)
        self.shape = Shape(dim, kernel.is_dense(dim))

    @property
    def is_over(self) -> bool:
        return self.place == self.n_rounds

    @property
    def n_done(self) -> int:
        """Transitions of the rounds that are over."""
        return self.n_warmup * self.place // self.n_rounds

    @property
    def length(self) -> int:
        """Transitions of the coming round."""
        return self.n_warmup * (self.place + 1) // self.n_rounds - self.n_done

    @property
    def shortening(self) -> float:
        """By how much steps of the coming round are shorter than those that are tuned."""
        return _SHORTER.get(self.place % 4, 1.0) if self.looks and self.place < self.looks[-1] else 1.0

    def settings(self) -> FloatArray:
        """What `advance` takes in the next round."""
        step = self.shortening * self.step.current
        if self.path is None:
            return self.kernel.settings(step, self.scale, None, self.betas)
        length = self.path.length()
        settings = self.kernel.settings(step, self.scale, None if length is None else self.shortening * length)
        return settings if self.shortening < 1.0 else self.kernel.learning(settings, self.center)

    @property
    def betas(self) -> FloatArray | None:
        """The ladder as it is now."""
        return self.kernel.betas if self.ladder is None else self.ladder.betas.copy()

    def adjust(self, rate: float, positions: FloatArray, memory: FloatArray) -> None:
        """Learn from a round: its mean acceptance rate, and positions (n, dim) and memory (n, n_memory) after it."""
        is_shortened = self.shortening < 1.0
        n_transitions = self.length
        told, self.told = self.told, memory.sum(axis=0)
        told = self.told - told
        self.place += 1
        if not is_shortened:
            self.step.adjust(self.kernel.rates(rate, told / (len(positions) * n_transitions)))
        if self.path is not None:
            self.center = positions.mean(axis=0)
            if self.place == _PATH_AFTER:
                self.path.begin(self.kernel.first_path(self.step.current))
            if not is_shortened:
                self.path.adjust(*self.kernel.path_signal(told), self.place)
        coming = min((look for look in self.looks if look >= self.place), default=None)
        if coming is None:
            return
        if self.ladder is not None:
            self.ladder.add(*self.kernel.swap_signal(told))
            if self.place == coming:
                self.ladder.move()
                self.step.restart(self.step.current)
        if self.dim > 1:
            self._look(positions, coming)

    def _look(self, positions: FloatArray, coming: int) -> None:
        """Take in positions for the shape of the law; where a look is due, go on with it."""
        last = max((look for look in self.looks if look < self.place), default=0)
        if 2 * self.place > last + coming:  # the first half of a window still comes from where chains were
            self.shape.add(positions)
        if self.place == coming:
            found = self.shape.scale()
            self.scale = np.ones(self.dim) if found is None else found
            self.step.restart(self.step.current)
            self.shape = Shape(self.dim, self.shape.is_dense)

    def tuned(self) -> Tuned:
        """What to freeze."""
        step = self.step.settled if self.is_over else self.step.current
        return Tuned(step, self.scale, None if self.path is None else self.path.length(settled=True), self.betas)

    def state(self) -> dict[str, FloatArray]:
        """Everything that it has learnt, as arrays."""
        return {
            "tuner_place": np.array([self.place, self.shape.n], dtype=float),
            "tuner_step": self.step.numbers,
            "tuner_scale": self.scale,
            "tuner_center": self.center,
            "tuner_mean": self.shape.mean,
            "tuner_squares": self.shape.squares,
            "tuner_path": np.zeros(0) if self.path is None else self.path.numbers,
            "tuner_told": self.told,
            "tuner_betas": np.zeros(0) if self.ladder is None else self.ladder.betas,
            "tuner_swaps": np.zeros(0) if self.ladder is None else self.ladder.counts,
        }

    def restore(self, state: dict[str, FloatArray]) -> None:
        """Go on from what `state` gave."""
        self.place, self.shape.n = (int(one) for one in state["tuner_place"])
        self.step.numbers = state["tuner_step"]
        self.scale, self.center = state["tuner_scale"], state["tuner_center"]
        self.shape.mean, self.shape.squares = state["tuner_mean"], state["tuner_squares"]
        self.told = state["tuner_told"]
        if self.path is not None:
            self.path.numbers = state["tuner_path"]
        if self.ladder is not None:
            self.ladder.betas, self.ladder.counts = state["tuner_betas"], state["tuner_swaps"]
