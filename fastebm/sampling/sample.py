"""The calls that sample an energy, and that go on with a run."""

from typing import Any

from fastebm import _checks, tiles
from fastebm._checks import RNGLike
from fastebm.energies import Energy
from fastebm.energies.descriptions import rebuild as rebuild_energy
from fastebm.kernels import Kernel, default_kernel
from fastebm.kernels.descriptions import rebuild as rebuild_kernel
from fastebm.sampling.converged import Converged
from fastebm.sampling.interrupts import Interrupts
from fastebm.sampling.plans import planned
from fastebm.sampling.progress import Progress
from fastebm.sampling.runs import Run
from fastebm.sampling.session import Session, resumed
from fastebm.sampling.starts import Init


def sample(
    energy: Energy,
    kernel: Kernel | None = None,
    *,
    n_chains: int = 64,
    n_draws: int = 1000,
    n_warmup: int = 1000,
    thin: int = 1,
    init: Init = None,
    rng: RNGLike = None,
    n_threads: int | None = None,
    progress: bool | str = "auto",
    clamp: Any = None,
    keep: Any = "draws",
    until: Converged | None = None,
    checkpoint: Any = None,
    every: float = 30.0,
    executor: Any = None,
) -> Run:
    """Draw from p(x) = exp(-E(x)) / Z with many Markov chains.

    Parameters
    ----------
    energy : the energy E.
    kernel : the rule of transition; RandomWalk() if None, or Gibbs() on a discrete energy.
    n_chains : chains that run side by side, at least 1.
    n_draws : draws kept of each chain, at least 1; with `until`, the most.
    n_warmup : transitions before the first draw, in which a step size of None is tuned; at least 0.
    thin : transitions per kept draw, at least 1.
    init : (n_chains, dim) or (dim,) starts; eb.Overdispersed, eb.FromData or eb.Superchains; None: drawn, chain c's
        from the seed and c alone.
    rng : None, a seed, or a NumPy SeedSequence, BitGenerator or Generator. The same seed gives the same bits for any
        number of threads, any executor, and after any interruption.
    n_threads : None for all processors that this process may use.
    progress : "auto", True or False.
    clamp : coordinates that stay as given, a dict {3: 0.5}, or a pair of a mask (dim,) and values (dim,): the others
        are drawn from p(x_free | x_clamped). Starts have all coordinates, the clamped ones too, which are left out.
        Step sizes, colours, `run.step_size` and `run.scale` have those that move, in their order.
    keep : "draws", in memory; "moments", means, variances and quantiles in constant memory, as `run.moments`; "last",
        the last draw; or the path of a .npy file, to which draws go as they come. It can be read meanwhile, nan where
        none has come yet; in the end it holds `run.draws`, also after Ctrl-C.
    until : eb.Converged(rhat, ess), to stop as soon as the chains have converged; `run.converged` says whether.
    checkpoint : path to which the run is written at its start, at intervals and at its end; `eb.resume(path)` goes on
        from it, to the same bits. Draws are beside it with `.draws` behind its name, the checkpoint before it with
        `.previous`. A run that has not come to its end, and a file that is no checkpoint, are not written over.
    every : seconds between checkpoints, above 0.
    executor : anything with map(function, iterable): shards of the chains are advanced by its workers. Results may come
        in any order.

    Returns
    -------
    Run, with `draws` (n_chains, n_draws, dim). Ctrl-C ends the run early and returns the draws made so far.

    Warns
    -----
    FastebmWarning : stuck chains, acceptance below 10 % or above 90 %, an energy that is nan or -inf, an interrupt, a
        limit reached before convergence, a disk that is full.

    Examples
    --------
    >>> import fastebm as eb
    >>> run = eb.sample(eb.Gaussian([0.0, 1.0]), n_chains=32, n_draws=100, rng=0)
    >>> run.draws.shape
    (32, 100, 2)
    """
    if not isinstance(energy, Energy):
        raise TypeError(f"energy is a {type(energy).__name__}; pass an energy, for example eb.Gaussian([0.0]).")
    rule = default_kernel(energy) if kernel is None else kernel
    if not isinstance(rule, Kernel):
        raise TypeError(f"kernel is {rule!r}; pass a kernel, for example eb.RandomWalk().")
    n_threads = tiles.threads(n_threads)
    plan = planned(
        energy, n_chains=n_chains, n_draws=n_draws, n_warmup=n_warmup, thin=thin, init=init, seed=_checks.seed(rng),
        clamp=clamp, keep=keep, until=until, checkpoint=checkpoint, every=every,
    )
    if rule.step_size is None and plan.n_warmup == 0:
        raise ValueError("step_size is None and n_warmup is 0; pass a step_size, or some n_warmup to tune it in.")
    session = Session(energy, rule, plan, n_threads, _executor(executor))
    return _run(session, progress, lambda: session.begin(init))


def resume(
    path: Any,
    energy: Energy | None = None,
    *,
    n_threads: int | None = None,
    progress: bool | str = "auto",
    executor: Any = None,
) -> Run:
    """Go on with a run from its checkpoint, to the same bits as if it had never stopped.

    Parameters
    ----------
    path : `checkpoint` of the call of `sample`; it goes on being written. With `.previous` behind it, the run goes on
        from the checkpoint before, where the last one is damaged.
    energy : your own energy, if the run was of one; files hold no code. It is checked against the digest of its source
        and data. A catalogue energy is rebuilt without it.
    n_threads, progress, executor : as of `sample`; results do not depend on them.

    Returns
    -------
    Run. Of a run that had come to its end, that run.

    Raises
    ------
    FileNotFoundError : there is no such file.
    FileFormatError : the checkpoint or its side file is damaged, of something else, or from a newer version; where the
        checkpoint before it is whole, the message names it.
    FileWriteError : another process is writing this run.
    ValueError : a user's energy is missing or is not the one of the run.
    """
    n_threads = tiles.threads(n_threads)
    session = resumed(
        path, lambda header, theta: rebuild_energy(header["energy"], header["shapes"], theta, energy, path),
        rebuild_kernel, n_threads, _executor(executor),
    )
    return _run(session, progress, lambda: None)


def _run(session: Session, progress: bool | str, begin: Any) -> Run:
    plan = session.plan
    done = session.n_warmed + session.n_sampled
    bar = Progress(plan.n_warmup + plan.n_draws * plan.thin - done, "sampling", progress)
    try:
        begin()
        with Interrupts() as interrupts:

            def after_block(n: int) -> bool:
                bar.advance(n)
                return interrupts.requested

            session.run(after_block)
    finally:
        bar.close()
        session.release()
    return session.result()


def _executor(executor: Any) -> Any:
    if executor is not None and not callable(getattr(executor, "map", None)):
        raise TypeError(
            f"executor is a {type(executor).__name__} without map; pass for example "
            "concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn'))."
        )
    return executor
