"""The scenario trino-backlog: its files are its registration (scenarios/folder.py)."""
