"""Puts the study's tables into a page, between markers, and says which of them are not fresh.

A table begins with `<!-- from the results: NAME -->` and ends with `<!-- end -->`.
"""

import re
from collections.abc import Mapping
from typing import Final

_TABLE: Final = re.compile(r"<!-- from the results: ([a-z]+) -->.*?<!-- end -->", re.DOTALL)


class PageUnfit(ValueError):
    """A page has no place for the tables; the message says what to do."""


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with these tables. Raises `PageUnfit` unless it has a place for each of them."""
    places = _TABLE.findall(page)
    if sorted(places) != sorted(tables):
        wanted = ", ".join(f"<!-- from the results: {name} -->" for name in tables)
        raise PageUnfit(
            f"the page must have one place for each table ({wanted}, each ended by <!-- end -->);"
            f" it has {', '.join(places) or 'none'}"
        )
    return _TABLE.sub(lambda place: _marked(place[1], tables[place[1]]), page)


def stale(page: str, tables: Mapping[str, str]) -> list[str]:
    """Which tables of the page are not these. Raises `PageUnfit`."""
    filled(page, tables)
    return [
        place[1]
        for place in _TABLE.finditer(page)
        if place[0] != _marked(place[1], tables[place[1]])
    ]


def empty_page(tables: Mapping[str, str]) -> str:
    """A page of nothing but the places."""
    return "\n\n".join(_marked(name, "") for name in tables) + "\n"


def _marked(name: str, table: str) -> str:
    return f"<!-- from the results: {name} -->\n\n{table.strip()}\n\n<!-- end -->"
