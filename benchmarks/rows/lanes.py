"""lanes: an energy as a user writes it, on lanes against the same source compiled for one chain at a time."""

from benchmarks import targets, tile_functions
from benchmarks.timing import Bar, Contestant, Report, compare


def measure(n_rounds: int) -> Report:
    """Energies per second of the tile functions, random numbers apart."""
    target = targets.mixture()
    program, packed = target.energy.program, target.energy.packed
    ours = tile_functions.evaluations(target, program.energy.pointer, packed)
    scalar = tile_functions.evaluations(target, tile_functions.build(program.energy.slower[0].make()), packed)
    against = Contestant("the same source, scalar", scalar, bar=Bar(5.0, at_least=True))
    return Report(compare("lanes", "M energies/s, eight normals", ours, [against], n_rounds))
