"""The section `backup`: copies of the state that the running gateway takes by itself."""

from typing import Any, Final

from fuseboard.policy import unit_table as unit
from fuseboard.policy.reading import Reading
from fuseboard.policy.rules import HOUR_NS, BackupRule
from fuseboard.policy.sections_operations import EVERY, RETENTION
from fuseboard.policy.shapes import Section, Shape, Value

_WORDS_NS: Final = {
    "hourly": HOUR_NS,
    "daily": 24 * HOUR_NS,
    "weekly": 7 * 24 * HOUR_NS,
    "monthly": 30 * 24 * HOUR_NS,
}
EVERY_NS_MIN: Final = 10_000_000_000
_BY: Final = "backup"
_SAID: Final = "a duration from 10s on such as `1d`, or hourly, daily, weekly, monthly"
UNENFORCED: Final[dict[str, Shape]] = {
    "url": Value(unit.SECRET, (), "Where to, when the address is a secret."),
    "compress": Value(unit.FLAG, (), "Whether they are compressed.", aliases=("compression",)),
    "encrypt": Value(unit.FLAG, (), "Whether they are encrypted.", aliases=("encryption",)),
    "key": Value(unit.SECRET, (), "With which key.", aliases=("encryption_key",)),
}
KEYS: Final[dict[str, Shape]] = {
    "enabled": Value(
        unit.FLAG,
        ("enabled",),
        "Whether copies are made; writing the section asks for them.",
        _BY,
    ),
    "every": Value(
        unit.every(_SAID, _WORDS_NS, least_ns=EVERY_NS_MIN),
        ("every_ns",),
        "How often; one that is twice as old pages.",
        _BY,
        aliases=EVERY.aliases,
    ),
    "path": Value(
        unit.TEXT,
        ("path",),
        "To which directory; a relative one is inside the state directory.",
        _BY,
        aliases=("destination", "location", "target"),
    ),
    "retention": Value(
        RETENTION.unit,
        ("retention_days",),
        "How many days they are kept; the newest always is.",
        _BY,
        aliases=RETENTION.aliases,
    ),
    "copies": Value(
        unit.whole(1, 10_000), ("copies",), "How many are kept.", _BY, aliases=("keep",)
    ),
    "verify": Value(
        unit.FLAG,
        ("verify",),
        "Whether each copy is proven by restoring it.",
        _BY,
        aliases=("verify_restore",),
    ),
    **UNENFORCED,
}
BACKUP: Final = Section(KEYS, "Copies of the state directory.", aliases=("backups",))


def backup_of(reading: Reading, values: dict[str, Any] | None, later: dict[str, Any]) -> BackupRule:
    """The schedule; without the section there is none."""
    if values is None:
        return BackupRule()
    filled = reading.fields(values, "backup", KEYS, "backup")
    for key in UNENFORCED:
        if key in values:
            later[f"backup.{key}"] = values[key]
    return BackupRule(**{"enabled": True, **filled})
