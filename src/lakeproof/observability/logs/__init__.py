"""Logs: what a line says (entry), its way into the log store (tailer, push, shipper), finding it again (query)."""
