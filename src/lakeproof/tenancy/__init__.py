"""The tenant: whose tables this tool captures, judges and repairs. Data alone; nothing here knows an engine."""
