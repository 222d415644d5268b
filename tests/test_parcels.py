"""Energies that travel: pickled and made anew they are the same energy, to the bit."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from energy_laws import same
from messages import refused

import fastebm as eb
from fastebm.energies import parcels

TABLE = np.array([[1.0, 0.2], [0.2, 2.0]])
FACTOR = 3


def bilinear(a, b):
    return a * b * TABLE[0, 1]


def twice(a):
    return bilinear(a, 2.0) + FACTOR


@eb.energy(dim=2, theta={"radius": 4.0, "W": [[1.0, 2.0], [3.0, 4.0]]})
def ring(x, theta):
    """With helpers that share an array, and parameters of two shapes."""
    r = math.sqrt(x[0] ** 2 + x[1] ** 2)
    return 0.5 * ((r - theta.radius) / 0.5) ** 2 + twice(x[0]) + theta.W[0, 1] * bilinear(x[0], x[1])


def closed_over(scale, offset):
    return eb.energy(2)(lambda x: scale * x[0] ** 2 + x[1] ** 2 + np.where(x[0] > offset, 1.0, eb.softplus(x[1])))


GIVEN = eb.energy(1, grad=lambda x: [2.0 * x[0] * TABLE[1, 1]])(lambda x: TABLE[1, 1] * x[0] ** 2)
DEFAULTS = eb.energy(2)(lambda x, a=2.0: a * x[0] ** 2 + x[1] ** 2)
ENERGIES = {
    "function": ring, "other theta": ring.with_theta(radius=3.0), "lambda": closed_over(2.0, 0.3), "gradient": GIVEN,
    "sum": ring + closed_over(1.0, 0.0), "tempered": 0.5 * ring, "mixture": eb.mixture([ring, eb.Ring()], [0.3, 0.7]),
    "affine": ring.affine([2.0, 3.0], 1.0), "walls": eb.energy(2, domain=[(0.0, 1.0), (0.0, 2.0)])(lambda x: x[0]),
    "spins": eb.energy(3, values=(-1, 1))(lambda x: x[0] * x[1] * TABLE[0, 0]),
    "conditioned": ring.conditioned({0: 1.0}),
    "catalogue": eb.GaussianMixture([[0.0], [1.0]], 0.5), "network": eb.MLP(2, (4,), activation="tanh"),
    "trained": eb.MLP(2, (4,)).with_theta(w_out=np.ones(4)), "data": eb.LogisticPosterior([[1.0], [2.0]], [1, 0]),
    "observed": eb.Ring().observed(0.4),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_the_same_energy_comes_out(name):
    E = ENERGIES[name]
    twin = pickle.loads(pickle.dumps(E))
    X = np.random.default_rng(0).standard_normal((20, E.dim))
    X = X if E.values is None else np.sign(X)
    assert type(twin) is type(E)
    assert twin.describe() == E.describe()
    assert same(twin.theta, E.theta)
    assert same(twin.first_theta, E.first_theta)
    assert not twin.theta.flags.writeable
    assert repr(twin) == repr(E)
    assert same(twin.energy(X), E.energy(X))
    assert same(twin.grad(X), E.grad(X))
    assert same(twin.grad_theta(X), E.grad_theta(X))
    again = pickle.loads(pickle.dumps(twin))  # what has travelled can travel on
    assert same(again.energy(X), E.energy(X))


def test_defaults_of_arguments():
    twin = pickle.loads(pickle.dumps(DEFAULTS))
    assert twin.energy([1.0, 0.0]) == 2.0


def test_no_bytecode_travels():
    content = pickle.dumps(ring)
    assert b"marshal" not in content
    assert b"bilinear" in content
    assert b"types\nCodeType" not in content
    assert ring.program.energy.source.__code__.co_code not in content


def test_a_file_remembers_which_energy_it_was(tmp_path):
    ring.save(tmp_path / "ring.npz")
    twin = pickle.loads(pickle.dumps(ring))
    assert same(eb.load(tmp_path / "ring.npz", energy=twin).theta, ring.theta)


def test_without_source_nothing_travels():
    names = {}
    exec("def made(x):\n    return x[0] ** 2", names)
    E = eb.energy(1)(names["made"])
    refused(lambda: parcels.packed(E), "made cannot travel", "define it in a file", kind=TypeError)


COMMAND = """
import pickle
import subprocess
import sys
import fastebm as eb
slope = 3.0
E = eb.energy(2)(lambda x: slope * x[0] ** 2 + x[1])
print(pickle.loads(pickle.dumps(E)).energy([2.0, 1.0]))
exec("def other(x): return x[0]")
try:
    pickle.dumps(eb.energy(1)(other))
except TypeError as fault:
    print("define it in a file" in str(fault))
"""


def test_a_function_of_a_command_line():
    """Python before 3.13 does not keep its text; what has no text anywhere is refused."""
    ran = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["13.0", "True"]
