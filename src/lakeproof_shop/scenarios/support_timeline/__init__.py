"""The scenario support-timeline: its files are its registration (scenarios/folder.py)."""
