"""Do ledger, database and lake say the same? Digests by bucket inside each engine, rows only where they differ."""
