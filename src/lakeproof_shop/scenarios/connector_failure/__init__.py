"""The scenario connector-failure: its files are its registration (scenarios/folder.py)."""
