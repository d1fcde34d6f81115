"""Faults that a test can switch on at the exchange's door, by `POST /sim/faults`.

Each number counts down by one each time its fault happens; 0 is off. They make the exchange answer
as brokers do on bad days, and say what is not so; they never change its books or its ledger.
"""

from msgspec import Struct

COUNT_MAX = 1_000_000
DELAY_MS_MAX = 60_000
LATE_S = 12.0


class Faults(Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong next."""

    drop_before_accept: int = 0
    """Orders whose connection is dropped before they are taken."""
    drop_after_accept: int = 0
    """Orders that are taken and whose connection is then dropped without an answer."""
    server_error_after_accept: int = 0
    """Orders that are taken and then answered 500."""
    server_error: int = 0
    """Requests answered 500 with nothing done."""
    refuse_key: int = 0
    """Requests answered 401 with nothing done, though their key is the account's."""
    too_many_requests: int = 0
    """Requests answered 429 with nothing done."""
    drop_stream_events: int = 0
    """Messages of `trade_updates` that are lost."""
    hide_fills: int = 0
    """Executions that `trade_updates` does not tell."""
    repeat_fills: int = 0
    """Executions that `trade_updates` tells twice."""
    hide_activities: int = 0
    """Executions that are left out of the account's activities."""
    late_activities: int = 0
    """Executions that stand in the account's activities `LATE_S` seconds after they happened."""
    repeat_activities: int = 0
    """Executions that stand twice in the account's activities, under two ids."""
    delay_ms: int = 0
    """How long each answer waits after its request was done, as long as it is set."""

    def checked(self) -> "Faults":
        """Itself if all numbers are within bounds, else `ValueError`."""
        for name in self.__struct_fields__:
            limit = DELAY_MS_MAX if name == "delay_ms" else COUNT_MAX
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(f"{name} must be between 0 and {limit}")
        return self

    def takes(self, name: str) -> bool:
        """Whether the fault happens now; if so it is counted down."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0
