"""Which sector each symbol is in: from the policy itself, or from a file beside it."""

from collections.abc import Callable
from typing import Any, Final

from fuseboard.policy import unit_table as unit
from fuseboard.policy import units
from fuseboard.policy.reading import Reading
from fuseboard.policy.sections_limits import SECTORS
from fuseboard.policy.shapes import Open
from fuseboard.policy.yaml_text import Place, tree_of

Files = Callable[[str], str]
"""The text of a file beside the policy file; raises `FileRefused`."""
SYMBOLS_MAX: Final = 10_000


class FileRefused(Exception):
    """A file that a policy names cannot be read; the message says why."""


def no_files(name: str) -> str:
    """For texts that are no file of their own: nothing stands beside them."""
    raise FileRefused(f"{name[:80]!r} stands beside no file: write the sectors into the policy")


def sectors_of(
    reading: Reading, found: list[tuple[str, dict[str, Any] | str]], files: Files
) -> dict[str, str]:
    """Symbol to sector, sorted; the section stands in one place."""
    for path, _ in found[1:]:
        line = reading.entries[found[0][0]].key.line
        reading.refuse_key(path, f"already written in line {line}; keep one of the two")
    if not found:
        return {}
    path, value = found[0]
    reading.set_line("sectors", path)
    if isinstance(value, str):
        return _from_file(reading, path, value, files)
    return _by_symbol(reading, path, value)


def _by_symbol(reading: Reading, path: str, value: dict[str, Any]) -> dict[str, str]:
    sectors: dict[str, str] = {}
    for key, below in value.items():
        pairs = [(key, below)] if isinstance(below, str) else [(symbol, key) for symbol in below]
        for symbol, sector in pairs:
            if sectors.setdefault(symbol, sector) != sector:
                what = f"{symbol} is in two sectors, {sectors[symbol]} and {sector}"
                reading.refuse_key(f"{path}.{key}", what)
            try:
                unit.SYMBOL.read(symbol)
            except units.Refused as refused:
                reading.refuse_key(f"{path}.{key}", str(refused))
    return {symbol: sectors[symbol] for symbol in sorted(sectors)}


def _from_file(reading: Reading, path: str, name: str, files: Files) -> dict[str, str]:
    try:
        text = files(name)
    except FileRefused as refused:
        reading.refuse_value(path, str(refused))
        return {}
    inner = Reading(name)
    if name.endswith((".yaml", ".yml", ".json")):
        tree = tree_of(text, name, inner.problems)
        assert isinstance(SECTORS.keys, Open)
        sectors = _by_symbol(inner, "sectors", inner.read(tree, "sectors", SECTORS.keys) or {})
    else:
        sectors = _from_lines(inner, text)
    reading.problems.extend(inner.problems)
    return sectors


def _from_lines(inner: Reading, text: str) -> dict[str, str]:
    """`symbol,sector` on each line; empty lines, `#` and a first line of titles are passed over."""
    sectors: dict[str, str] = {}
    for number, line in enumerate(text.splitlines()[:SYMBOLS_MAX], start=1):
        if not line.strip() or line.startswith("#") or (number == 1 and "symbol" in line.lower()):
            continue
        symbol, comma, sector = (part.strip() for part in line.partition(","))
        if not comma:
            inner.refuse(Place(number, 1), "", f"{line[:40]!r} is not `SYMBOL,sector`")
            continue
        try:
            unit.SYMBOL.read(symbol)
            unit.NAME.read(sector)
        except units.Refused as refused:
            inner.refuse(Place(number, 1), "", str(refused))
            continue
        if sectors.setdefault(symbol, sector) != sector:
            inner.refuse(Place(number, 1), "", f"{symbol} is in two sectors")
    if len(text.splitlines()) > SYMBOLS_MAX:
        inner.refuse(Place(SYMBOLS_MAX + 1, 1), "", f"more than {SYMBOLS_MAX} lines")
    return {symbol: sectors[symbol] for symbol in sorted(sectors)}
