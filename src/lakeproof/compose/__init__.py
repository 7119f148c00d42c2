"""The same components as a compose file: images in the place of processes."""
