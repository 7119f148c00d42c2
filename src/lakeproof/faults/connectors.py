"""Faults of a connector, given as an order to Kafka Connect."""

from lakeproof.faults.ordered_connector import OrderedConnector


class StoppedConnector(OrderedConnector):
    """Stop the connector, so that it has no task."""

    order = "stop"
    state = "STOPPED"
