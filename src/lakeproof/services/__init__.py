"""What every service stands on, whatever its business: gate, health, metrics, stores, outbox, consumer of events."""
