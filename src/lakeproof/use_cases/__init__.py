"""What people use the lake for: one YAML file for each use case, and how fresh its data are now."""
