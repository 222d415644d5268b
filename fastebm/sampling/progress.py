"""A progress bar by tqdm, where it is installed and somebody looks."""

import sys
from typing import Any

import numpy as np


class Progress:
    """A bar over `total` steps; silent where none is wanted.

    Parameters
    ----------
    total : number of steps.
    label : what stands before the bar.
    wanted : "auto" shows a bar after a second if tqdm is installed and the output is a terminal; True always; False
        never.
    """

    def __init__(self, total: int, label: str, wanted: bool | str) -> None:
        self._bar: Any = None
        if not (isinstance(wanted, bool | np.bool_) or (isinstance(wanted, str) and wanted == "auto")):
            raise ValueError(f"progress is {wanted!r}; pass True, False or 'auto'.")
        is_auto = isinstance(wanted, str)
        if not wanted or (is_auto and not sys.stderr.isatty()):
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if not is_auto:
                raise ImportError('progress=True needs tqdm; run: pip install "fastebm[progress]".') from None
            return
        self._bar = tqdm(total=total, desc=label, delay=1.0 if is_auto else 0.0, leave=False)

    def advance(self, n: int, **notes: str) -> None:
        """Move on by n steps and show notes behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix(notes, refresh=False)
            self._bar.update(n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
