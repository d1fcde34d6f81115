"""What a policy may say and nothing enforces yet: shown by `policy check` and at each start.

One table. Who enforces a field takes it out here; a test compares the table with what the code
reads, both ways.
"""

import re
from typing import Final

import msgspec

from fuseboard.policy.loader import Loaded
from fuseboard.policy.rules import WAYS_NOT_YET

NOT_YET: Final[tuple[str, ...]] = ("market.levels_nanos",)
_ROW: Final = re.compile(r"\[[^\]]*\]")
KEYS_NOT_YET: Final = {"market.levels_nanos": "safety.market_circuit_breakers.levels"}
"""As the file writes the fields of `NOT_YET`."""
_KILL_SWITCH: Final = "safety.kill_switch."
_LEVELS: Final = (
    "compared with nothing, for no index is watched: the exchange's own halts pause us, at whatever"
    " fall it calls them; to stop at a loss of your own write a circuit breaker"
)
_API: Final = (
    'its path is not used; a kill is `POST /v1/halt` with `{"level": "kill"}` and the key of'
    " `fuseboard operators new NAME --role operator`, where the gateway was started with"
    " `fuseboard run --control-port PORT`"
)
_API_OFF: Final = "its path is not used, and the way is closed: `enabled: false` closes all of them"
_NO_WAY: Final = (
    "there is no such way, and nothing there halts; have whatever listens there call"
    " `fuseboard halt`, or the operators' API (`api`)"
)


def unenforced(loaded: Loaded) -> dict[str, int]:
    """Each key that the file sets and nothing enforces yet, with its line, in their order."""
    found: dict[str, int] = {}
    for path, line in loaded.lines.items():
        plain = _ROW.sub("", path)
        if plain.startswith("strategies.losses"):
            plain = plain.removeprefix("strategies.")
        if path.startswith("later["):
            found[path.removeprefix("later[").removesuffix("]")] = line
        elif plain in NOT_YET:
            found[KEYS_NOT_YET.get(plain, path)] = line
    return dict(sorted(found.items(), key=lambda item: item[1]))


def said(loaded: Loaded, path: str) -> tuple[str, ...]:
    """A path of `unenforced`, each of whose lines says what is so and what to do where that is
    known; a section's with the keys below it that nothing enforces.
    """
    if path in KEYS_NOT_YET.values():
        return (f"{path}: {_LEVELS}",)
    values = msgspec.json.decode(loaded.policy.later.get(path, "{}"))
    if not isinstance(values, dict) or not values:
        return (path,)
    if path.startswith(_KILL_SWITCH):
        return tuple(f"{path}.{way}: {_of_way(loaded, way)}" for way in values)
    return (f"{path}: {', '.join(values)}",)


def _of_way(loaded: Loaded, way: str) -> str:
    """What becomes of a way to the kill switch that the file gives a text, or that is none."""
    if way in WAYS_NOT_YET:
        return _NO_WAY
    assert way == "api", "no other way takes a text"
    return _API if loaded.policy.kill_switch.enabled else _API_OFF
