"""Fuses: protective machines, each on one scope, one machine a file."""
