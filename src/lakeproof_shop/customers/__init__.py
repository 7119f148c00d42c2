"""The customers: shoppers that use the shop as people do, and the ledger of what it promised them."""
