"""Set-up: what third parties made, fetched, checked against a lock, and laid ready in a cache outside the clone.

The path of an artifact: third_party/NAME/artifact.toml → recipe → steps (maven, pypi, go, …) → lock → store → path.
Nothing here imports a third-party library above plan.py and java.py, so that the plan can be printed by a plain
Python before anything is installed.
"""
