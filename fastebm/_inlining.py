"""Numba's way for helpers that only other compiled code calls, which takes them in.

Numba optimises every function by itself, makes machine code of it and wraps that for callers from Python. A helper that
is always inlined needs none of it: its code is optimised where it ends up. That saves a third of the time of compiling.
"""

from collections.abc import Callable
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.environment import lookup_environment
from numba.core.registry import CPUDispatcher


class Inlined(CPUDispatcher):  # type: ignore[misc]
    """A function that compiled code takes in, and Python calls as it was written; `flags` are those of numba.njit."""

    def __init__(self, function: Callable[..., Any], **flags: Any) -> None:
        options = {"nopython": True, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        super().__init__(function, targetoptions=options | flags, pipeline_class=_Inlining)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.py_func(*arguments, **named)


class _Inlining(Compiler):  # type: ignore[misc]
    def __init__(self, typing: Any, target: Any, library: Any, *rest: Any) -> None:
        super().__init__(typing, target, library or _LinkedOnly(target.codegen(), "inlined"), *rest)


class _LinkedOnly(JITCodeLibrary):  # type: ignore[misc]
    """Code that is there to be linked with: neither optimised by itself nor known to the machine."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Machine code would be told here of its environment; see `share_environments`."""


def share_environments(result: Any) -> None:
    """Tell new machine code of the environments of all that it took in, which `print` needs: those are in no other."""
    for variable in result.library._final_module.global_variables:
        env = lookup_environment(variable.name)
        if env is not None:
            result.library.codegen.set_env(variable.name, env)
