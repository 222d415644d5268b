"""What happens once a process, measured in fresh ones."""

import os
import subprocess
import sys
from pathlib import Path

_IMPORT = """
import time
wall, cpu = time.perf_counter(), time.process_time()
import {module}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def figures(code: str, **environment: str) -> list[float]:
    """The numbers that `code` prints when a fresh interpreter runs it, with these variables set besides."""
    here = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    # installed packages come with byte code; a checkout has it after its first import, unless the user forbade it
    settings = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""} | environment
    answer = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | settings, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        fault = answer.stderr.strip().splitlines()[-1]
        raise RuntimeError(f"a fresh process failed ({fault}); run its code by hand: {code.strip()!r}.")
    return [float(word) for word in answer.stdout.split()]


def import_times(module: str) -> tuple[float, float]:
    """Wall-clock and CPU seconds of importing `module`, without the start of the interpreter."""
    wall, cpu = figures(_IMPORT.format(module=module))
    return wall, cpu
