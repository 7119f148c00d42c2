"""The publisher: makes one Nessie commit of all tables at one checkpoint, audits it, merges it to `main`."""
