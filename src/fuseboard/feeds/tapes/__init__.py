"""Tapes: recorded or generated market data, read in time order, each saying what it is."""
