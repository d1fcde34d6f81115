"""Fuseboard: the safety layer between trading strategies and their brokers."""

__version__ = "0.1.0"
