"""The scenario fulfillment-delay: its files are its registration (scenarios/folder.py)."""
