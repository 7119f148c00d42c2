"""The scenario cassandra-node-down: its files are its registration (scenarios/folder.py)."""
