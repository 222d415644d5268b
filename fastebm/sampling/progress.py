"""A progress bar by tqdm, where it is installed and somebody looks."""

import sys
from typing import Any


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
        if wanted not in (True, False, "auto"):
            raise ValueError(f"progress is {wanted!r}; pass True, False or 'auto'.")
        if wanted is False or (wanted == "auto" and not sys.stderr.isatty()):
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if wanted is True:
                raise ImportError('progress=True needs tqdm; run: pip install "fastebm[progress]".') from None
            return
        self._bar = tqdm(total=total, desc=label, delay=1.0 if wanted == "auto" else 0.0, leave=False)

    def advance(self, n: int, **notes: str) -> None:
        """Move on by n steps and show notes behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix(notes, refresh=False)
            self._bar.update(n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
