"""The scenario kafka-backlog: its files are its registration (scenarios/folder.py)."""
