"""The web pages around the incident desk: the stack, the lake, the use cases, the dashboards."""
