"""The rows of the table: each file measures one family, each function takes the number of rounds and gives a Report."""

from collections.abc import Callable

from benchmarks.rows import first_sample, imports, normals, random_walk, threads
from benchmarks.timing import Report

ROWS: dict[str, Callable[[int], Report]] = {
    "rwmh-gmm2": random_walk.gmm2,
    "rwmh-gauss10": random_walk.gauss10,
    "rwmh-gauss100": random_walk.gauss100,
    "normals": normals.measure,
    "threads": threads.measure,
    "import": imports.measure,
    "first-sample": first_sample.measure,
}
