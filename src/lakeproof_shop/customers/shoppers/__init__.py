"""Shoppers: traffic through the shop's HTTP API, as an open loop, written into the ledger.

start(stack, rate, seed)  starts shoppers in a process of their own, which buy until its stop()
settle_leftovers(stack)   settles the calls that killed shoppers left open
"""

from lakeproof_shop.customers.shoppers.handle import settle_leftovers
from lakeproof_shop.customers.shoppers.own_process import ShoppersProcess, start
from lakeproof_shop.customers.shoppers.report import Counts, TrafficReport

__all__ = ["Counts", "ShoppersProcess", "TrafficReport", "settle_leftovers", "start"]
