"""The scenario flink-restarts: its files are its registration (scenarios/folder.py)."""
