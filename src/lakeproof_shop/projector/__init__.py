"""The projector: result topics → projections that services read in Cassandra, idempotently (docs/stores.md)."""
