"""The connector is paused: it goes on reading the binlog into its queue, and delivers nothing."""

from lakeproof.faults.ordered_connector import ordered_connector

FAULT = ordered_connector("paused_connector", "pause the connector", "pause", "PAUSED")
