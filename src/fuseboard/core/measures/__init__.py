"""Measures: the numbers that conditions are written over, each exact, bounded and rebuilt by replay."""
