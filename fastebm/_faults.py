"""What Numba says of a user's function, as one sentence with the file, the line and the remedy."""

import builtins
import linecache
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

NEEDS_ONE_CHAIN = "needs the value of one chain"  # the words of refusals that a loop over chains would not meet


class EnergyCompileError(TypeError):
    """The energy's source is not something that can be compiled; the message names the line and the remedy."""


class Refusal(NamedTuple):
    """Why one way of compiling a source does not work.

    `line` is counted from the function's first, None if it is not known; `text` is what stands there.
    """

    line: int | None
    text: str
    reason: str


def explain(fault: Exception, function: Callable[..., Any], what: str) -> EnergyCompileError:
    """Numba's many lines about the user's `function` as one sentence with the file, the line and the usual remedy."""
    face = what.split()[0]
    by_hand = f", or pass {face}= written by hand" if face.startswith("grad") else ""
    return EnergyCompileError(
        f"{what} cannot be compiled at {place(function, line_of(fault, function))}: {reason(plain(fault))}; "
        "write plain scalar code: loops over x[i], math.* or NumPy's scalar functions, numbers, arrays of numbers, and "
        f"helper functions of the same kind{by_hand}."
    )


def plain(fault: Exception) -> str:
    """Numba's report without colours and without where in Numba it came from."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(fault)).partition(". Raised from ")[0]


def line_of(fault: Exception, function: Callable[..., Any]) -> int | None:
    """The line that the report is about, counted from the function's first; None if the report names none."""
    code = function.__code__
    text, _, raised_from = re.sub(r"\x1b\[[0-9;]*m", "", str(fault)).partition(". Raised from ")
    places = re.findall(r'File "([^"]+)", line (\d+)', text) + re.findall(r"(\S+) \((\d+)\)", text + raised_from)
    name = os.path.basename(code.co_filename)
    lines = [int(line) for file, line in places if os.path.basename(file) == name]
    return lines[0] - code.co_firstlineno if lines else None  # the innermost, perhaps of a helper


def text_at(function: Callable[..., Any], line: int | None) -> str:
    """What stands at a line of the function's file, counted from the function's first; nothing if that is not known."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    return "" if line is None else linecache.getline(code.co_filename, code.co_firstlineno + line).strip()


def place(function: Callable[..., Any], line: int | None, text: str | None = None) -> str:
    """The file and a line of it, counted from the function's first, and what stands there.

    Where another `text` is wanted, the lines were counted in another layout of the same code: then it is looked for.
    """
    code = function.__code__
    here = text_at(function, line)
    if text is not None and here != text:
        lines = [one.strip() for one in linecache.getlines(code.co_filename)]
        found = [n - code.co_firstlineno for n, one in enumerate(lines, start=1) if one == text]
        line = min(found, key=lambda n: abs(n - (line or 0)), default=None)
        here = text_at(function, line)
    return f"{code.co_filename}, line {code.co_firstlineno + (line or 0)}" + (f" ({here})" if here else "")


def reason(text: str) -> str:
    """The one line of Numba's report that tells a user what is wrong."""
    words = "|".join(word for word in dir(builtins) if word.islower())
    patterns = (
        (rf"Untyped global name '({words})'", "{0!r} is not known in compiled code"),
        (r"Untyped global name '(\w+)'", "the name {0!r} is not defined, or not a number, an array or a function"),
        (r"NameError: name '(\w+)' is not defined", "the name {0!r} is not defined"),
        (r"fastebm: ([^\n]+)", "{0}"),
        (r">>> setitem\(readonly array", "data or parameters are changed, where eb.zeros(n, like=x) makes an array"),
        (r"No implementation of function [^\n]+\s+>>> ([\w.]+)\([^\n]*lanes", "{0!r} takes x as a whole"),
        (r"No implementation of function [^\n]+\s+>>> ([\w.]+)\([^\n]*\bLane", f"{{0!r}} {NEEDS_ONE_CHAIN}"),
        (r"No implementation of function Function\((\w+)\)[^\n]+\s+>>> <[^\n]*\bLane", f"{{0!r}} {NEEDS_ONE_CHAIN}"),
        (r"Unknown attribute '(\w+)' of type (?:own )?lanes", "{0!r} takes x as a whole"),
        (r"Unknown attribute '(\w+)' of type Lane", f"{{0!r}} {NEEDS_ONE_CHAIN}"),
        (r"Unknown attribute '(\w+)' of type Module\(<module '([\w.]+)'", "{1}.{0} is not known in compiled code"),
        (r"No implementation of function [^\n]+\s+>>> ([\w.]+)\(", "{0!r} does not take these arguments"),
        (r"Unknown attribute '(\w+)' of type ([^\n]+)", "there is no attribute {0!r} here"),
        (r"(?:Unsupported|Use of unsupported)[^\n]*", "{all}"),
        (r"Cannot unify ([^\n]+?) and ([^\n]+?) for '(\w+)", "{2!r} is sometimes {0} and sometimes {1}"),
    )
    for pattern, sentence in patterns:
        if found := re.search(pattern, text):
            return sentence.format(*found.groups(), all=found.group(0).strip().rstrip("."))
    said = [line.strip() for line in text.splitlines() if line.strip()] or ["something is not known in compiled code"]
    told = [line for line in said if not line.startswith(("Failed in", "During:", "File ", "- ", "<source"))]
    return (told or said)[0].rstrip(".")[:200]
