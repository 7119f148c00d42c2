"""How the steps of a repair are run, by a person or in a drill, and which repair an incident gets."""
