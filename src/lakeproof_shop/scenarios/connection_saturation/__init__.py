"""The scenario connection-saturation: its files are its registration (scenarios/folder.py)."""
