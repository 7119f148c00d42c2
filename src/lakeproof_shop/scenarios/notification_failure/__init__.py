"""The scenario notification-failure: its files are its registration (scenarios/folder.py)."""
