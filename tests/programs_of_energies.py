"""Random energy programs: the text of a function E(x, theta) that uses all of Python that fastebm reads backwards.

Loops in loops with ranges that hang on outer indices, `while` on integers, `continue`, helpers with defaults and early
returns, names that are overwritten and swapped, temporaries whose cells are overwritten and that have two names,
conditions on indices, data and x, ternaries, integers that turn into floats, and every primitive of the table, at
arguments where it is smooth. Values stay of order one, so that what is compared is the transformation.
"""

import builtins
import itertools
import linecache
import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import fastebm as eb
from fastebm.lanes.primitives import BINARY, UNARY

DIM = 3
THETA = {"scale": 0.7, "w": np.array([0.3, -0.8, 1.1]), "M": np.array([[0.6, -0.4], [0.9, 0.2]])}
TABLE = np.array([[1.0, 2.0], [0.5, -1.0], [0.3, 0.1]])
ORDER = np.array([2, 0, 1])
TOP, ROW = 0.45, 2  # globals that are numbers

Theta = namedtuple("Theta", list(THETA))

SAFE = {  # calls of the table's functions f of any numbers a and b, away from where these have no derivative
    "exp": "{f}(math.tanh({a}))", "expm1": "{f}(math.tanh({a}))", "exp2": "{f}(math.tanh({a}))",
    "log": "{f}(1.5 + ({a}) ** 2)", "log1p": "{f}(({a}) ** 2)", "log2": "{f}(0.5 + ({a}) ** 2)",
    "log10": "{f}(2.0 + math.sin({a}))", "sqrt": "{f}(1.0 + ({a}) ** 2)", "square": "{f}({a})", "sin": "{f}({a})",
    "cos": "{f}({a})", "tan": "{f}(math.tanh({a}))", "asin": "{f}(0.9 * math.sin({a}))",
    "acos": "{f}(0.9 * math.sin({a}))", "atan": "{f}({a})", "sinh": "{f}(math.sin({a}))",
    "cosh": "{f}(math.sin({a}))", "tanh": "{f}({a})", "sigmoid": "{f}({a})", "softplus": "{f}({a})",
    "erf": "{f}({a})", "erfc": "{f}({a})", "lgamma": "{f}(2.6 + 0.5 * math.sin({a}))", "abs": "{f}({a})",
    "sign": "({a}) * {f}({b})", "floor": "({a}) * {f}({b})", "ceil": "({a}) - {f}({b})",
    "atan2": "{f}({a}, 1.5 + ({b}) ** 2)", "hypot": "{f}({a}, 1.0 + math.sqrt(1.0 + ({b}) ** 2))",
    "copysign": "{f}({a}, {b})", "max": "{f}({a}, {b})", "min": "{f}({a}, {b})", "maximum": "{f}({a}, {b})",
    "minimum": "{f}({a}, {b})", "logaddexp": "{f}({a}, {b})",
}
NOT_FOR_USERS = {"digamma"}  # no name of it is public


def _name_of(function):
    """How a program calls a function of the table."""
    for prefix, module in (("", builtins), ("math.", math), ("eb.", eb), ("np.", np)):
        for name, value in vars(module).items():
            if value is function:
                return prefix + name
    raise LookupError(function)


CALLS = [
    SAFE[name].replace("{f}", _name_of(function))
    for name, entry in (UNARY | BINARY).items() if name not in NOT_FOR_USERS
    for function in entry.callables
]
OPERATIONS = [
    "({a} + {b})", "({a} - {b})", "({a} * {b})", "(-{a})", "({a}) / (2.0 + ({b}) ** 2)", "({a}) ** 2", "({a}) ** 3",
    "(2.0 + ({a}) ** 2) ** -1", "(1.5 + ({a}) ** 2) ** math.tanh({b})", "math.pow(1.0 + ({a}) ** 2, 0.5)",
    "np.power(2.0 + math.sin({a}), {b})", "1.5 ** math.sin({a})", "(({a}) % 1.7)", "({a}) * (({b}) // 0.7)",
    "max({a}, {b}, 0.1)", "min({a}, {b}, 0.3, {a})", "eb.where({a} > {b}, {b}, {a} * {b})",
    "np.where({a} <= {b}, 0.3, {a})", "eb.where(({a} > 0.1) | ({b} < 0.2), {a}, 1.0)", "float({a})",
    "({a} if TABLE[0, 0] > 0.0 else {b})", "bend({a})", "bend({a}, 0.2)", "bend({a}, b={b})", "twice_bent({a})",
    "both({a}, {b})[0]", "picked(x, {a})", "sum((0.5, {a}, {b}))",
]
OF_ONE_CHAIN = ["({a} if {a} > {b} else {b} * 0.5)", "clipped({a})"]

HELPERS = '''\
def bend(a, b=0.5):
    c = a * b
    if TOP > 0.3:
        return c + math.sin(a)
    c -= a
    return c


def twice_bent(a):
    c = bend(a, 0.2)
    a = c * TOP
    return bend(a) - c


def both(a, b):
    total = a + b
    return math.tanh(a - b), total


def picked(x, a, places=(0, 2)):
    total = 0
    for place in places:
        total += x[place] * TABLE[place, 1]
    if len(x) > 5:
        return a
    return total * math.sin(a)


def clipped(a):
    if a > 1.0:
        return 1.0
    if a < -1.0:
        return -1.0 + 0.1 * a
    return a * a * a
'''


@dataclass(frozen=True)
class Program:
    """A random energy.

    Attributes
    ----------
    text : of the function and its helpers.
    seed : of the point at which it is looked at.
    """

    text: str
    seed: int

    def point(self):
        return np.random.default_rng(self.seed).uniform(-1.2, 1.2, DIM)

    def direction(self):
        return np.random.default_rng([self.seed, 1]).uniform(-1.0, 1.0, DIM)

    def function(self, **meanings):
        """E(x, theta), with other meanings of the words that it uses if they are given."""
        words = {"math": math, "np": np, "eb": eb, "TABLE": TABLE, "ORDER": ORDER, "TOP": TOP, "ROW": ROW} | meanings
        filename = f"<energy {next(_numbers)}>"
        linecache.cache[filename] = (len(self.text), None, self.text.splitlines(keepends=True), filename)
        exec(compile(self.text, filename, "exec"), words)
        return words["energy_of_chance"]


_numbers = itertools.count()


class Writer:
    """Writes one program; `random` draws all that is random in it.

    `names` are scalars that have a value, `indices` integers within an array's length, and `arrays` temporaries.
    """

    def __init__(self, random, *, with_branches_on_x=True):
        self.random = random
        self.lines = []
        self.arrays = []
        self.n_names = 0
        self.is_counted = False  # whether a `while` stands around
        self.with_branches_on_x = with_branches_on_x

    def program(self):
        names, indices = [], []
        for k in range(self.random.randint(0, 2)):
            self.arrays.append(f"room{k}")
            self.write(1, f"room{k} = eb.zeros(3, like=x)")
        if self.random.random() < 0.3:
            self.write(1, "count = 0")
            names.append("count")
        self.block(1, names, indices, self.random.randint(3, 7))
        if self.arrays and self.random.random() < 0.4:
            self.write(1, f"other = {self.random.choice(self.arrays)}")
            self.arrays.append("other")
            self.block(1, names, indices, 2)
        if len(self.arrays) > 1 and self.random.random() < 0.4:
            one, other = self.arrays[:2]
            self.write(1, f"{one}, {other} = {other}, {one}")
            self.block(1, names, indices, 2)
        if self.random.random() < 0.2:
            self.write(1, f"if TABLE[1, 1] > {self.random.choice(['0.0', '-2.0'])}:")
            self.write(2, f"return {self.expression(names, indices)}")
            self.block(1, names, indices, 1)
        ends = names + [f"{array}[{place}] ** 2" for array in self.arrays for place in range(3)]
        self.write(1, f"return {' + '.join(ends or ['x[0]'])}")
        text = "\n".join([HELPERS, "", "def energy_of_chance(x, theta):", *self.lines]) + "\n"
        return Program(text, self.random.randint(0, 2**32 - 1))

    def write(self, depth, line):
        self.lines.append("    " * depth + line)

    def fresh(self):
        self.n_names += 1
        return f"v{self.n_names}"

    # ---- expressions ----

    def expression(self, names, indices, depth=0):
        if depth > 2 or self.random.random() < 0.25:
            return self.leaf(names, indices)
        a, b = (self.expression(names, indices, depth + 1) for _ in range(2))
        ways = [OPERATIONS, CALLS, OPERATIONS[:3]] + ([OF_ONE_CHAIN] if self.with_branches_on_x else [])
        return self.random.choice(self.random.choice(ways)).format(a=a, b=b)

    def leaf(self, names, indices):
        place = self.place(indices)
        leaves = [
            f"x[{place}]", f"x[{place}]", f"theta.w[{place}]", "theta.scale", f"TABLE[{place}, {self.pick('01')}]",
            f"theta.M[{self.pick('01')}, {self.pick('01')}]", f"{self.random.uniform(-1.0, 1.0):.2f}",
            f"x[ORDER[{place}]]", "TOP", "(1 / 3)",
        ]
        leaves += [f"{array}[{place}]" for array in self.arrays] + [f"0.1 * {index}" for index in indices]
        return self.random.choice(names if names and self.random.random() < 0.5 else leaves)

    def place(self, indices):
        """An index of an array of three."""
        if indices and self.random.random() < 0.8:
            index = self.random.choice(indices)
            return self.random.choice([index, index, f"{index} - 1", f"({index} + 1) % 3", f"-{index} - 1"])
        return self.random.choice(["0", "1", "2", "-1", "ROW", "len(x) - 1"])

    def pick(self, letters):
        return self.random.choice(list(letters))

    # ---- statements ----

    def block(self, depth, names, indices, n):
        """n statements; names that they make are added to `names`."""
        for _ in range(n):
            ways = [
                self.assignment, self.assignment, self.update, self.update, self.cell, self.swap, self.loop, self.loop,
                self.repetition, self.condition, self.unpacking, self.local_room, self.integer,
            ]
            ways[self.random.randrange(len(ways))](depth, names, indices)

    def assignment(self, depth, names, indices):
        name = self.random.choice(names) if names and self.random.random() < 0.5 else self.fresh()
        self.write(depth, f"{name} = {self.expression(names, indices)}")
        if name not in names:
            names.append(name)

    def update(self, depth, names, indices):
        if not names:
            return self.assignment(depth, names, indices)
        sign = self.random.choice(["+=", "-=", "*="])
        return self.write(depth, f"{self.random.choice(names)} {sign} math.tanh({self.expression(names, indices)})")

    def cell(self, depth, names, indices):
        if not self.arrays:
            return self.assignment(depth, names, indices)
        array, sign = self.random.choice(self.arrays), self.random.choice(["=", "=", "+=", "-=", "*="])
        return self.write(depth, f"{array}[{self.place(indices)}] {sign} math.sin({self.expression(names, indices)})")

    def swap(self, depth, names, indices):
        if len(names) < 2:
            return self.assignment(depth, names, indices)
        one, other = self.random.sample(names, 2)
        return self.write(depth, f"{one}, {other} = {other}, math.tanh({one})")

    def unpacking(self, depth, names, indices):
        one, other = self.fresh(), self.fresh()
        values = ", ".join(self.expression(names, indices, 1) for _ in range(2))
        self.write(depth, f"{one}, {other} = {self.random.choice(['both', ''])}({values})")
        names += [one, other]

    def integer(self, depth, names, indices):
        name = self.fresh()
        base = self.random.choice([*indices, "ROW", "len(x)"])
        self.write(depth, f"{name} = ({base} * 2 + {self.random.randint(0, 3)}) % 3")
        self.write(depth, f"{name} = {name} * x[{name}]")  # an integer first, and then a float
        names.append(name)

    def local_room(self, depth, names, indices):
        if self.is_counted:
            return self.update(depth, names, indices)
        room, name = self.fresh(), self.fresh()
        self.write(depth, f"{room} = eb.zeros(3, like=x[0])")
        self.arrays.append(room)
        for _ in range(2):
            self.cell(depth, names, indices)
        self.write(depth, f"{name} = {room}[0] - {room}[{self.place(indices)}] * {room}[2]")
        self.arrays.remove(room)
        names.append(name)
        return None

    def loop(self, depth, names, indices):
        if depth > 3:
            return self.update(depth, names, indices)
        index, inner = f"i{depth}", list(names)
        last = indices[-1] if indices else "ROW"
        head = self.random.choice([
            f"{index} in range(3)", f"{index} in range(len(x))", f"{index} in range(1, 3)",
            f"{index} in range(2, -1, -1)", f"{index} in range(0, 3, 2)", f"{index} in range({last}, 3)",
            f"{index} in range({last} % 3)", f"{index}, e{depth} in enumerate(x)", f"{index} in (2, 0)",
            f"e{depth} in x", f"e{depth}, d{depth} in zip(x, theta.w)",
        ])
        self.write(depth, f"for {head}:")
        targets = head.split(" in ")[0].split(", ")
        inner += [name for name in targets if name != index]
        here = [*indices, index] if index in targets else indices
        if here and self.random.random() < 0.2:
            self.write(depth + 1, f"if {self.test(here)}:")
            self.block(depth + 2, list(inner), here, self.random.randint(0, 1))
            self.write(depth + 2, "continue")
        self.inner_block(depth + 1, names, inner, here, self.random.randint(1, 4))
        return None

    def inner_block(self, depth, names, inner, indices, n):
        """Statements whose names, mostly, one from outside takes something of."""
        self.block(depth, inner, indices, n)
        if names and self.random.random() < 0.7:
            sign = self.random.choice(["+=", "-=", "*="])
            self.write(depth, f"{self.random.choice(names)} {sign} math.tanh({self.random.choice(inner)})")

    def repetition(self, depth, names, indices):
        if depth > 2 or self.is_counted:
            return self.update(depth, names, indices)
        name, rooms = self.fresh(), self.arrays
        self.write(depth, f"{name} = {self.random.choice(['3', 'len(x) + 2', *indices])}")
        self.write(depth, f"while {name} {self.random.choice(['> 0', '>= 1', '> 0 and len(x) == 3'])}:")
        self.write(depth + 1, self.random.choice([f"{name} -= 1", f"{name} = {name} // 2"]))
        self.arrays, self.is_counted = [], True  # an array that changes in it and is read in it would be refused
        self.inner_block(depth + 1, names, list(names), indices, self.random.randint(1, 3))
        self.arrays, self.is_counted = rooms, False
        return None

    def condition(self, depth, names, indices):
        if depth > 4:
            return self.update(depth, names, indices)
        test = self.test(indices)
        if self.with_branches_on_x and self.random.random() < 0.3:
            test = f"{self.expression(names, indices, 2)} > {self.expression(names, indices, 2)}"
        self.write(depth, f"if {test}:")
        self.inner_block(depth + 1, names, list(names), indices, self.random.randint(1, 3))
        if self.random.random() < 0.5:
            self.write(depth, "else:")
            self.inner_block(depth + 1, names, list(names), indices, self.random.randint(1, 2))
        return None

    def test(self, indices):
        tests = ["TABLE[0, 0] > 0.0", "len(x) > 5", "not TOP > 1.0"]
        if indices:
            index = self.random.choice(indices)
            tests += [
                f"{index} % 2 == 0", f"{index} == 1", f"TABLE[{index}, 1] > 0.0", f"0 < {index} <= 2 or ROW == 0",
            ]
        return self.random.choice(tests)


def written(random, **options):
    return Writer(random, **options).program()


def programs(**options):
    """A hypothesis strategy."""
    return st.randoms(use_true_random=False).map(lambda random: written(random, **options))
