"""Seeded faults under the shipped loop, journal, outlet and kernel; needs apsw (a dev tool)."""
