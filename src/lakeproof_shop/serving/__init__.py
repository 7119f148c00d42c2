"""The kit that every service is built on: gate, health, metrics, database access, outbox, consumer of events."""
