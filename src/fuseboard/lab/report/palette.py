"""Colours that hold for colour-blind eyes and in grey print: Okabe and Ito's set, and ramps.

Lines also differ by dash, marks by shape, bands by lightness: no colour carries a meaning alone.
"""

from typing import Final

BLACK: Final = "#1a1a1a"
GREY: Final = "#767676"
BLUE: Final = "#0072b2"
VERMILION: Final = "#d55e00"
ORANGE: Final = "#b87300"
GREEN: Final = "#00735c"
PURPLE: Final = "#a3427f"
GRID: Final = "#e4e4e4"

POSTURES: Final = {
    "OPEN": "#e8f0f6",
    "REDUCED": "#a9c8e0",
    "REDUCE_ONLY": "#5b97c4",
    "HALTED": "#1f5f92",
    "KILLED": "#0b2038",
}
TIERS: Final = {
    "NORMAL": "#f6efe2",
    "CAUTIOUS": "#f0c98a",
    "DEFENSIVE": "#d08a3c",
    "EMERGENCY": "#7a3608",
}


def faint(colour: str) -> str:
    """A colour as the fill between the lowest and the highest of a bucket."""
    return f"{colour}38"
