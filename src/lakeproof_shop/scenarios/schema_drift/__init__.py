"""The scenario schema-drift: its files are its registration (scenarios/folder.py)."""
