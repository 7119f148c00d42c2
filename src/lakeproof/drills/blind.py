"""What the seed draws: a scenario and one of its causes, of which nobody is told; or scenarios by twos."""

from itertools import combinations
from random import Random

from lakeproof.drills.plan import DrillPlan
from lakeproof.scenarios.catalog import Catalog

BLIND = "blind"
PAIRS = "pairs"


def draw(catalog: Catalog, seed: int) -> DrillPlan:
    """Each scenario is as likely as any other, and so is each of its causes.

    The components of all that could be drawn are up, for what is started would tell what comes.
    """
    rng = Random(seed)
    scenario = rng.choice([catalog.scenarios[name] for name in sorted(catalog.scenarios)])
    played = rng.choice([scenario, *(scenario.others[cause] for cause in sorted(scenario.others))])
    return DrillPlan((played,), beside=catalog.played)


def draw_pairs(catalog: Catalog, seed: int, count: int) -> list[str]:
    """A+B, so many times; each of two scenarios by their own causes, and no pair twice. All pairs where fewer are."""
    pairs = ["+".join(pair) for pair in combinations(sorted(catalog.scenarios), 2)]
    return Random(seed).sample(pairs, min(count, len(pairs)))
