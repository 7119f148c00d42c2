"""Shoppers: traffic through the shop's HTTP API, as an open loop, written into the ledger.

run(stack, rate, seconds, seed)  the whole traffic, in this thread
start(stack, rate, seed)         in a thread of its own, until the handle's stop()
settle_leftovers(stack)          what became of the calls that killed shoppers left open
"""

from lakeproof.customers.shoppers.handle import TrafficHandle, run, settle_leftovers, start
from lakeproof.customers.shoppers.report import Counts, TrafficReport

__all__ = ["Counts", "TrafficHandle", "TrafficReport", "run", "settle_leftovers", "start"]
