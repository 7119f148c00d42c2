"""Shoppers: traffic through the shop's HTTP API, as an open loop, written into the ledger.

start(stack, rate, seed)  in a process of its own, until its stop()
settle_leftovers(stack)   what became of the calls that killed shoppers left open
"""

from lakeproof.customers.shoppers.handle import settle_leftovers
from lakeproof.customers.shoppers.own_process import ShoppersProcess, start
from lakeproof.customers.shoppers.report import Counts, TrafficReport

__all__ = ["Counts", "ShoppersProcess", "TrafficReport", "settle_leftovers", "start"]
