"""A purchase across the services: each step is remembered before the next, so that a crash ends consistent."""
