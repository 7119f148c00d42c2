"""The scenario replication-lag: its files are its registration (scenarios/folder.py)."""
