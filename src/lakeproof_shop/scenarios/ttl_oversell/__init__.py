"""The scenario ttl-oversell: its files are its registration (scenarios/folder.py)."""
