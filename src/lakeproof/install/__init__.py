"""Set-up: what third parties made, fetched, checked against a lock, and laid ready in a cache outside the clone.

The path of an artifact: third_party/NAME/artifact.toml → recipe → steps (maven, pypi, go, …) → lock → store → path.
plan.py, java.py and the modules that they import use the standard library only, so that a plain Python can print the
plan before anything is installed.
"""
