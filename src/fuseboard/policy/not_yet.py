"""What a policy may say and nothing enforces yet: shown by `policy check` and at each start.

One table. Who enforces a field takes it out here; a test compares the table with what the code
reads, both ways.
"""

import re
from typing import Final

from fuseboard.policy.loader import Loaded

NOT_YET: Final = (
    "session.calendar",
    "session.roll",
    "session.zone",
    "session.extended_hours",
    "strategies.symbols",
    "strategies.trader",
    "strategies.desk",
    "strategies.client",
    "checks_off",
    "checks",
    "dynamic_limits",
    "restricted",
    "sectors",
    "market.enabled",
    "market.resume_delay_ns",
    "market.symbol_halts",
    "kill_switch.enabled",
    "kill_switch.methods",
    "kill_switch.watchdog_timeout_ns",
    "resets.two_persons",
    "resets.override_ns_max",
    "limits.order_volume_share_nanos_max",
    "limits.price_floor_nanos",
    "limits.order_rate_kills",
    "limits.messages_max",
    "limits.messages_window_ns",
    "limits.daily_orders_max",
    "limits.repeated_executions_max",
    "limits.repeated_executions_window_ns",
    "limits.duplicate_window_ns",
    "limits.sector_fraction_nanos_max",
    "limits.positions_max",
    "limits.net_exposure_nanos_min",
    "limits.net_exposure_nanos_max",
    "limits.leverage_nanos_max",
    "limits.maintenance_margin_nanos_min",
    "data.arrival_ns_max",
    "data.heartbeat_ns_max",
    "data.stale_action",
    "data.assets_min",
    "data.missing_action",
    "data.price_check_action",
    "data.price_change_deviations",
    "data.volume_spike_nanos",
    "data.gap_ns_max",
)
_ROW: Final = re.compile(r"\[[^\]]*\]")


def unenforced(loaded: Loaded) -> dict[str, int]:
    """Each field that the file sets and nothing enforces yet, with its line, in their order."""
    found: dict[str, int] = {}
    for path, line in loaded.lines.items():
        plain = _ROW.sub("", path)
        if plain.startswith("strategies.losses"):
            plain = plain.removeprefix("strategies.")
        if plain in NOT_YET or path.startswith("later["):
            found[path] = line
    return dict(sorted(found.items(), key=lambda item: item[1]))
