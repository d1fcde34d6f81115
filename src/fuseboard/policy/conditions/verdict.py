"""What a condition says about a moment."""

from enum import Enum


class Verdict(Enum):
    """UNKNOWN when a value that matters is missing, warming up or too old, or divides by zero."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
