"""A purchase across the services. Each step is stored before the next, so that a crash leaves nothing half done."""
