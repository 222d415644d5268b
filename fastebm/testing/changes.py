"""Kernels with a line of their source changed: what a check of kernels has to catch."""

import copy
import math
from typing import TypeVar

import numpy as np

from fastebm._compile import Compiled
from fastebm.kernels import Kernel
from fastebm.kernels.kernel import ADVANCE_SIGNATURE

K = TypeVar("K", bound=Kernel)


def changed(kernel: K, old: str, new: str) -> K:
    """The kernel with the text `old` of its compiled transition replaced by `new`.

    Parameters
    ----------
    kernel : any kernel; it stays as it is. What is returned is of a class derived from its own.
    old : text that stands exactly once in the source of its `advance`.
    new : text in its place; `np`, `math` and what the kernel's module imports may be used.
    """
    source = kernel.advance.text()
    if source.count(old) != 1:
        raise ValueError(
            f"{old!r} stands {source.count(old)} times in the source of {type(kernel).__name__}; pass text that stands "
            "there once."
        )
    text = source[source.index("def ") :].replace(old, new)
    function = kernel.advance.make()
    scope = function.__globals__

    def make():  # type: ignore[no-untyped-def]
        names = {**scope, "np": np, "math": math, "__name__": __name__}
        exec(text, names)
        return names[function.__name__]  # a kernel may have several

    advance = Compiled(make, ADVANCE_SIGNATURE, text, f"changed {type(kernel).__name__}", text=lambda: text)
    result = copy.copy(kernel)
    result.__class__ = type(f"Changed{type(kernel).__name__}", (type(kernel),), {"advance": advance})
    return result
