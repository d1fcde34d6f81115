"""Measures: the numbers of conditions, each exact, bounded and rebuilt by replay."""
