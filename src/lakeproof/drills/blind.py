"""Draws by a seed what a drill plays: one scenario and cause that nobody is told, or pairs of scenarios."""

from itertools import combinations
from random import Random

from lakeproof.drills.plan import DrillPlan
from lakeproof.scenarios.catalog import Catalog

BLIND = "blind"
PAIRS = "pairs"


def draw(catalog: Catalog, seed: int) -> DrillPlan:
    """The plan of a blind drill. Each scenario is equally likely, and so is each cause of the drawn scenario.

    The components of every scenario and cause that could be drawn are started, so that the list of started components
    does not give the fault away.
    """
    rng = Random(seed)
    scenario = rng.choice([catalog.scenarios[name] for name in sorted(catalog.scenarios)])
    played = rng.choice([scenario, *(scenario.others[cause] for cause in sorted(scenario.others))])
    return DrillPlan((played,), beside=catalog.played)


def draw_pairs(catalog: Catalog, seed: int, count: int) -> list[str]:
    """`count` different pairs `A+B`, each scenario played by its default cause; all pairs where there are fewer."""
    pairs = ["+".join(pair) for pair in combinations(sorted(catalog.scenarios), 2)]
    return Random(seed).sample(pairs, min(count, len(pairs)))
