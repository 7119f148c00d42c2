"""A drill of which nobody is told what it plays: the seed draws a scenario and one of the causes that it may have."""

from random import Random

from lakeproof.drills.plan import DrillPlan
from lakeproof.scenarios.catalog import Catalog

BLIND = "blind"


def draw(catalog: Catalog, seed: int) -> DrillPlan:
    """Each scenario is as likely as any other, and so is each of its causes.

    The components of all that could be drawn are up, for what is started would tell what comes.
    """
    rng = Random(seed)
    scenario = rng.choice([catalog.scenarios[name] for name in sorted(catalog.scenarios)])
    played = rng.choice([scenario, *(scenario.others[cause] for cause in sorted(scenario.others))])
    return DrillPlan((played,), beside=catalog.played)
