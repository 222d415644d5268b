"""The rows of the table: each file measures one family, each function takes the number of rounds and gives a Report."""

from collections.abc import Callable

from benchmarks.rows import (
    by_hand,
    compiling,
    first_sample,
    imports,
    lanes,
    maths,
    networks,
    normals,
    one_chain,
    random_walk,
    threads,
)
from benchmarks.timing import Report

ROWS: dict[str, Callable[[int], Report]] = {
    "rwmh-gmm2": random_walk.gmm2,
    "rwmh-gauss10": random_walk.gauss10,
    "rwmh-gauss100": random_walk.gauss100,
    "normals": normals.measure,
    "maths": maths.measure,
    "lanes": lanes.measure,
    "by-hand": by_hand.measure,
    "one-chain": one_chain.measure,
    "mlp": networks.measure,
    "threads": threads.measure,
    "import": imports.measure,
    "first-sample": first_sample.measure,
    "compile": compiling.measure,
}
