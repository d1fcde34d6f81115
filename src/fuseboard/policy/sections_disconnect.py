"""`safety.cancel_on_disconnect`, and a strategy's own `cancel_on_disconnect`."""

from typing import Any, Final

from msgspec.structs import replace

from fuseboard.policy import unit_table as unit
from fuseboard.policy.reading import Reading, joined
from fuseboard.policy.rules import DisconnectRule
from fuseboard.policy.shapes import Section, Shape, Value
from fuseboard.vocabulary.actions import ConnectedBy

_BY: Final = "cancel on disconnect"
_AS_ACCOUNT: Final = "as under safety.cancel_on_disconnect"


def _keys(default: str) -> dict[str, Shape]:
    return {
        "enabled": Value(
            unit.FLAG,
            ("enabled",),
            "Whether orders of a strategy that is lost are cancelled; writing the section asks"
            " for it.",
            _BY,
            default=default,
        ),
        "after": Value(
            unit.at_least(unit.SECONDS, "1s"),
            ("after_ns",),
            "How long it must have been away; one that is back before loses nothing.",
            _BY,
            ("grace", "timeout"),
            default,
        ),
        "connected_by": Value(
            unit.CONNECTED_BY,
            ("connected_by",),
            "What counts as being there: an open `trade_updates` stream, requests (then write"
            " `after`), or the process of `fuseboard run -- COMMAND`.",
            _BY,
            default=default,
        ),
    }


KEYS: Final = _keys("")
_ABOUT: Final = (
    "Cancels what works of a strategy that is lost, but for reduce-only stops; what is left out is"
)
DISCONNECT: Final = Section(KEYS, f"{_ABOUT} the default.")
OWN: Final = Section(_keys(_AS_ACCOUNT), f"{_ABOUT} as for the account.")


def disconnect_of(
    reading: Reading,
    values: dict[str, Any] | None,
    path: str,
    prefix: str,
    base: DisconnectRule | None = None,
) -> DisconnectRule | None:
    """One section; None where there is none. What it leaves out is as in `base`."""
    if values is None:
        return None
    for field in (prefix, f"{prefix}.enabled"):
        reading.set_line(field, path)
    filled = reading.fields(values, path, KEYS, prefix)
    base = base or DisconnectRule()
    rule = replace(base, **{"enabled": True, **filled})
    is_silence = rule.connected_by is ConnectedBy.REQUESTS
    says_how_long = base.enabled and base.connected_by is ConnectedBy.REQUESTS
    if rule.enabled and is_silence and "after_ns" not in filled and not says_how_long:
        what = "write `after` too: longer than the longest pause between two of its requests"
        reading.refuse_key(joined(path, "connected_by"), what)
    return rule
