"""The connector is stopped: it has no task, and its metrics vanish."""

from lakeproof.faults.ordered_connector import ordered_connector

FAULT = ordered_connector("stopped_connector", "stop the connector, so that it has no task", "stop", "STOPPED")
