"""One run from its start to its end, in pieces: rounds of warm-up, then draws, with looks and checkpoints between."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastebm import _checks
from fastebm._checks import FloatArray
from fastebm.energies import Energy
from fastebm.files import FileFormatError
from fastebm.kernels import Kernel
from fastebm.sampling import checkpoints, remarks
from fastebm.sampling.chains import Chains
from fastebm.sampling.keeping import Keeping
from fastebm.sampling.plans import Plan
from fastebm.sampling.runs import Run
from fastebm.sampling.shards import ExecutorFault, Shards
from fastebm.sampling.side_files import SideFile
from fastebm.sampling.starts import Init, free_part, starts
from fastebm.sampling.tuning import Tuned, Tuner
from fastebm.sampling.warmup import run_round


class Session:
    """A run under way.

    Parameters
    ----------
    energy : of all coordinates.
    kernel : the rule of transition.
    plan : what was asked for.
    n_threads : threads of this process; results do not depend on it.
    executor : None, or what advances shards of the chains.
    """

    def __init__(self, energy: Energy, kernel: Kernel, plan: Plan, n_threads: int, executor: Any) -> None:
        self.energy, self.plan = energy, plan
        self.n_threads, self.executor = n_threads, executor
        self.target = energy.conditioned(plan.clamp)
        self.kernel = kernel = kernel.on(self.target).over(plan.n_draws * plan.thin)
        kernel.refuse_number(plan.n_chains, self.target.dim)
        step_size = kernel.step_size
        self.tuner, self.tuned = None, None
        if (step_size is None or kernel.tunes_ladder) and plan.n_warmup:
            self.tuner = Tuner(kernel, self.target.dim, plan.n_warmup, plan.n_chains)
        elif step_size is not None:
            self.tuned = Tuned(step_size, np.ones(self.target.dim), betas=kernel.betas)
        self.n_warmed = 0
        self.n_sampled = 0  # transitions after warm-up
        self.converged: bool | None = None if plan.until is None else False
        self.timings = {"compilation": 0.0, "warmup": 0.0, "sampling": 0.0}
        self.is_stopped = False
        self.is_over = False
        self.is_mid_round = False
        self.side = None if plan.checkpoint is None else SideFile(plan.checkpoint)
        self.faults: list[str] = []
        self._is_kept = False  # whether the file at the checkpoint's path is of this run and whole
        self._written = 0.0
        self._writer = checkpoints.Writer()

    # ---- the beginning ----

    def begin(self, init: Init) -> None:
        """Compile, place the chains, write the first checkpoint."""
        began = time.perf_counter()
        self.keeping = self._keeping(self.plan.n_draws, is_new=True)
        init = free_part(init, self.plan.clamp, self.energy.dim)
        positions = starts(self.target, init, self.plan.n_chains, self.plan.seed)
        self.kernel.refuse_starts(positions)
        self.chains = self._chains(positions)
        if self.kernel.needs_grad:
            remarks.refuse_no_slope(self.chains)
        self.timings["compilation"] = time.perf_counter() - began
        if self.plan.checkpoint is not None and self.side is not None:
            self.side.claim()
            self._content()()  # a path that cannot be written is an error now, not after hours
            checkpoints.forget_previous(self.plan.checkpoint)

    def restore(self, header: dict[str, Any], arrays: dict[str, Any], *, is_current: bool = True) -> None:
        """Go on from a checkpoint, or from the one before it."""
        self._is_kept = is_current
        self.is_over = header["is_over"]
        if self.side is not None and not self.is_over:
            self.side.claim()
        self.keeping = self._keeping(sum(header["blocks"]) if self.is_over else self.plan.n_draws, is_new=False)
        self.chains = self._chains(arrays["x"])
        self.chains.restore(arrays)
        self.n_warmed, self.n_sampled = header["n_warmed"], header["n_sampled"]
        self.timings, self.converged = header["timings"], header["converged"]
        if self.tuner is not None and not header["is_tuned"]:
            self.tuner.restore(arrays)
        if header["is_tuned"]:
            step_size = arrays["step_size"]
            path = float(arrays["path_length"])
            self.tuned = Tuned(
                float(step_size) if step_size.ndim == 0 else step_size, arrays["scale"],
                None if math.isnan(path) else path, arrays.get("betas"),
            )
        if self.n_warmed == self.plan.n_warmup:
            self.keeping.begin(self.chains)
            if self.keeping.moments is not None and "moment_sums" in arrays:
                self.keeping.moments.restore(arrays)
        if self.side is not None and self.keeping.energies.shape[1]:
            self.side.read(header["blocks"], header["checksum"], self.keeping.draws, self.keeping.energies)

    def _keeping(self, n_draws: int, *, is_new: bool) -> Keeping:
        plan = self.plan
        return Keeping(plan.keep, plan.n_chains, n_draws, self.energy.dim, plan.clamp, is_new=is_new)

    def _chains(self, positions: FloatArray) -> Chains:
        program = self.kernel.target(self.target).program
        needed = (program.grad,) if self.kernel.needs_grad else ()
        for code in (self.kernel.advance, program.energy, *needed):
            code.pointer  # noqa: B018 (compiles, or reads from disk)
        if self.executor is not None:
            return Shards(self.target, self.kernel, positions, self.plan.seed, self.executor)
        return Chains(self.target, self.kernel, positions, self.plan.seed, self.n_threads)

    # ---- the work ----

    def run(self, after_block: Callable[[int], bool]) -> None:
        """Go on to the end, or until `after_block` asks for a stop."""
        if self.is_over:
            return
        self._written = time.perf_counter()
        try:
            self._warm_up(after_block)
            if self.n_warmed == self.plan.n_warmup and not self.is_over:
                self._sample(after_block)
        except ExecutorFault as fault:
            if self.n_warmed == self.plan.n_warmup:
                self.n_sampled = self.chains.n_transitions  # of blocks that came back before
            if self.n_sampled < self.plan.thin:
                raise
            self.is_stopped = True
            self.faults.append(str(fault))
        finally:
            self._writer.wait()
        if self.plan.checkpoint is not None and not self.is_mid_round:
            self._save()
            self._writer.wait()

    def _warm_up(self, after_block: Callable[[int], bool]) -> None:
        began, before = time.perf_counter(), self.timings["warmup"]
        while self.n_warmed < self.plan.n_warmup and not self.is_stopped:
            if self.tuner is not None:
                self.is_stopped = run_round(self.chains, self.tuner, after_block)
                before_round, self.n_warmed = self.n_warmed, self.tuner.n_done
                self.is_mid_round = self.n_warmed == before_round
                if self.is_mid_round:
                    return  # what the chains are now belongs to no checkpoint: the round is run again on resuming
            else:
                left = self.plan.n_warmup - self.n_warmed
                self.n_warmed += self.chains.advance(left, self._settings(), after_block=self._stops(after_block))
            self.timings["warmup"] = before + time.perf_counter() - began
            self._save_if_due()
        if self.n_warmed == self.plan.n_warmup and self.n_sampled == 0 and not self.is_over:
            if self.tuned is None and self.tuner is not None:
                self.tuned = self.tuner.tuned()
            self.chains.settle()
            if self.keeping.moments is None:
                self.keeping.begin(self.chains)

    def _sample(self, after_block: Callable[[int], bool]) -> None:
        plan, keeping = self.plan, self.keeping
        settings = self._settings()
        while not (self.is_over or self.is_stopped):
            n_made = self.n_sampled // plan.thin
            goal = plan.n_draws if plan.until is None else min(plan.n_draws, plan.until.next_look(n_made))
            began = time.perf_counter()
            self.n_sampled += self.chains.advance(
                goal * plan.thin - self.n_sampled, settings, thin=plan.thin, done=self.n_sampled,
                draws=keeping.draws, energies=keeping.energies, columns=keeping.columns, moments=keeping.moments,
                after_block=self._stops(after_block),
            )
            self.timings["sampling"] += time.perf_counter() - began
            if self.n_sampled == goal * plan.thin:
                self.is_over = goal == plan.n_draws
                if plan.until is not None:
                    found = plan.until.verdict(
                        *keeping.made(goal, self.chains), plan.n_groups, keeping.columns,
                        is_discrete=self.target.values is not None,
                    )
                    self.converged = found.has_converged
                    self.is_over |= found.has_converged
            self._save_if_due()

    def _stops(self, after_block: Callable[[int], bool]) -> Callable[[int], bool]:
        """Also where a checkpoint is due."""

        def stops(n: int) -> bool:
            if after_block(n):
                self.is_stopped = True
            return self.is_stopped or self._is_due()

        return stops

    def _settings(self) -> FloatArray:
        assert self.tuned is not None
        return self.kernel.settings(*self.tuned)

    # ---- checkpoints ----

    def _is_due(self) -> bool:
        return self.plan.checkpoint is not None and time.perf_counter() - self._written >= self.plan.every

    def _save_if_due(self) -> None:
        if self._is_due():
            self._save()

    def _save(self) -> None:
        self._written = time.perf_counter()
        self._writer.start(self._content)

    def _content(self) -> Callable[[], None]:
        """What writes a checkpoint of this moment: it reads nothing that the run will change."""
        plan, side, keeping = self.plan, self.side, self.keeping
        path = plan.checkpoint
        assert path is not None
        assert side is not None
        n_made = self.n_sampled // plan.thin if keeping.energies.shape[1] else 0
        header = {
            "plan": plan.describe(), "energy": self.energy.describe(), "shapes": self.energy.shapes,
            "kernel": self.kernel.describe(), "timings": dict(self.timings), "converged": self.converged,
            "n_warmed": self.n_warmed, "n_sampled": self.n_sampled,
            "is_tuned": self.tuned is not None, "is_over": self.is_over,
        }
        arrays = {"theta": self.energy.theta, **self.chains.state(), **keeping.state()}
        if self.tuned is not None:
            path_length = self.tuned.path_length
            arrays |= {
                "step_size": np.asarray(self.tuned.step_size), "scale": self.tuned.scale,
                "path_length": np.array(math.nan if path_length is None else path_length),
            }
            if self.tuned.betas is not None:
                arrays["betas"] = self.tuned.betas
        elif self.tuner is not None:
            arrays |= self.tuner.state()
        arrays = {name: np.array(one) for name, one in arrays.items()}

        def write() -> None:
            if n_made > side.n_draws:  # draws that were made stay as they are
                new = slice(side.n_draws, n_made)
                side.append(keeping.draws[:, new], keeping.energies[:, new])
            saved = {"blocks": side.blocks, "checksum": side.checksum}
            checkpoints.write(path, header | saved, arrays, keeps_previous=self._is_kept)
            self._is_kept = True

        return write

    # ---- the end ----

    def release(self) -> None:
        """Let others write the checkpoint, after the last that is being written."""
        self._writer.wait()
        if self.side is not None:
            self.side.release()

    def result(self) -> Run:
        """The draws made so far, and warnings about them."""
        plan, chains = self.plan, self.chains
        n_made = self.n_sampled // plan.thin
        moments = self.keeping.result() if n_made else None  # first: they take the place of their sums
        draws, energies = self.keeping.result_draws(n_made, chains)
        tuned = self.tuned
        if tuned is None:
            assert self.tuner is not None
            tuned = self.tuner.tuned()
        run = Run(
            draws=draws,
            energy=energies,
            acceptance_rate=chains.acceptance_rate() if self.n_sampled else np.zeros(chains.n),
            step_size=tuned.step_size,
            scale=tuned.scale,
            path_length=tuned.path_length,
            betas=tuned.betas,
            report=self.kernel.report(self.target, chains.memories),
            seed=plan.seed,
            interrupted=not self.is_over,
            converged=self.converged,
            moments=moments,
            timings=self.timings,
            settings={
                **plan.describe(), "energy": self.energy.describe(), "kernel": self.kernel.describe(),
            },
        )
        faults = self.faults if self._writer.fault is None else [*self.faults, self._writer.fault]
        remarks.remark(run, chains, n_made, plan.n_draws, faults)
        return run


def resumed(path: Any, energy_of: Callable[[dict[str, Any], Any], Energy], kernel_of: Callable[[Any], Kernel],
            n_threads: int, executor: Any) -> Session:
    """The session of a checkpoint, where it stopped."""
    path = _checks.path(path, "path", "'run.npz', as of checkpoint=")
    header, arrays = checkpoints.read(path)
    energy = energy_of(header, arrays["theta"])
    try:
        plan = Plan.rebuilt(header["plan"], checkpoints.current(path))
    except (TypeError, KeyError) as fault:
        raise _of_another_version(path) from fault
    session = Session(energy, kernel_of(header["kernel"]), plan, n_threads, executor)
    try:
        session.restore(header, arrays, is_current=path == plan.checkpoint)
    except KeyError as fault:
        session.release()
        raise _of_another_version(path) from fault
    except BaseException:
        session.release()
        raise
    return session


def _of_another_version(path: str) -> FileFormatError:
    return FileFormatError(f"{path} was written by another version of fastebm; upgrade and try again.")
