"""Digests by bucket inside each engine, rows only where they differ: do ledger, database and lake say the same?"""
