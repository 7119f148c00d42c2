"""The lake's Flink job: what it is told (spec), its states to start from (states), submitting and stopping it."""

from lakeproof.lake.job.submission import ensure_submitted, plan, redeploy, stop_with_savepoint

__all__ = ["ensure_submitted", "plan", "redeploy", "stop_with_savepoint"]
