"""What people use the lake for: a file of data for each use case, and how fresh its data are now."""
