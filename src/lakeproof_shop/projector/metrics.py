"""What the projector counts beyond its requests."""

from lakeproof.metrics import RequestMetrics
from lakeproof_shop.serving.database.metrics import DatabaseMetrics


class ProjectorMetrics(RequestMetrics):
    """Records by what became of them, and how far behind the projection is."""

    def __init__(self) -> None:
        super().__init__()
        self.database = DatabaseMetrics(self.registry)
        self.records = self.counter(
            "projector_records_total",
            "Records taken: written; replayed (written again, which changes nothing); superseded (a newer one of the "
            "same order came with it); poison (cannot be read, set aside); beat.",
            "outcome",
            values=("written", "replayed", "superseded", "poison", "beat"),
        )
        self.lag_records = self.gauge("projector_lag_records", "Records in the topic that no projector is done with.")
        self.lag_seconds = self.gauge(
            "projector_lag_seconds",
            "The age of the newest instant of the source that the projection wholly covers (0 to 1 s is none).",
        )
        for gauge in (self.lag_records, self.lag_seconds):
            gauge.set(float("nan"))  # not known yet: never 0
