"""`python -m tests.simulation SEED` runs one seed again and prints what happened."""

import sys
from contextlib import nullcontext

from tests.simulation.checker import violations
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import World

seed, *mutant = sys.argv[1:]
with MUTANTS[mutant[0]]() if mutant else nullcontext():
    world = World(int(seed), print_trace=True)
    world.run()
found = violations(world)
print("\n".join(found) or "no promise was broken")
sys.exit(bool(found))
