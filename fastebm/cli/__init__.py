"""The command line: `fastebm` and `python -m fastebm`."""

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from fastebm._checks import FastebmWarning
from fastebm.cli import check, demo, fit, info, logz, sample, score, warmup

_COMMANDS: dict[str, Any] = {
    "demo": demo, "fit": fit, "sample": sample, "score": score, "logz": logz, "check": check, "warmup": warmup,
    "info": info,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 a check failed, 2 bad input, 130 broken off by Ctrl-C."""
    parser = argparse.ArgumentParser(prog="fastebm", description="Energy-based models on a CPU.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        summary = module.__doc__.partition("\n")[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    logger = logging.getLogger("fastebm")
    handler = _CompileNotes(sys.stderr)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", FastebmWarning)
            warnings.showwarning = _show_warning
            run: Callable[[argparse.Namespace], int] = chosen.run
            status = run(chosen)
            sys.stdout.flush()
            return status
    except BrokenPipeError:  # the reader of our output has gone, for example `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it has somewhere to go
        return 0
    except KeyboardInterrupt:
        print(f"fastebm {chosen.command}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as fault:
        print(f"fastebm {chosen.command}: {fault}", file=sys.stderr)
        return 2
    finally:
        logger.removeHandler(handler)


class _CompileNotes(logging.Handler):
    """Says when machine code is made, so that a first run's pause has a reason."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._is_first = True

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_first:
            print("compiling for this machine, once; later runs start at once:", file=self._stream)
            self._is_first = False
        print(f"  {record.getMessage()}", file=self._stream, flush=True)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
