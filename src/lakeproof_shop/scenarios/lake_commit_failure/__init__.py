"""The scenario lake-commit-failure: its files are its registration (scenarios/folder.py)."""
