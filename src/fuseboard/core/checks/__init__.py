"""Pre-trade checks: one small file each, one row each in `table.py`."""
