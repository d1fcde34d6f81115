"""Rules with consequences: losses, circuit breakers, checks of one's own, the market's halts.

Units as in `policy.limits`. Conditions are canonical texts of `policy.conditions`.
"""

from typing import Final

from msgspec import Struct

from fuseboard.policy.limits import MINUTE_NS, PERCENT_NANOS, SECOND_NS
from fuseboard.vocabulary.actions import Action, ConnectedBy, DrainRule, Reference, ResetRule

HOUR_NS: Final = 60 * MINUTE_NS


class LossRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When equity has fallen this far from its reference, and what happens then."""

    name: str = "drawdown"
    reference: Reference = Reference.SESSION_PEAK
    window_days: int = 0
    """Sessions of a `ROLLING_PEAK`, the present one included; 0 for other references."""
    limit_nanos: int = 5 * PERCENT_NANOS
    warning_nanos: int | None = None
    warning_clear_nanos: int | None = None
    action: Action = Action.FLATTEN
    """REDUCE_ONLY, HALT, FLATTEN or KILL."""
    reset: ResetRule = ResetRule.MANUAL
    cooldown_ns: int = 5 * MINUTE_NS
    cooldown_always: bool = False
    """Whether the cooldown holds up a reset whatever the action, because the policy writes it;
    else only that of a flatten does.
    """
    confirm_ns_max: int = SECOND_NS
    """An unconfirmed breach older than this asks for REDUCE_ONLY."""
    resets_a_day_max: int = 3
    trips_a_day_max: int = 5


class BreakerRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A circuit breaker over measures: it trips when its condition holds."""

    name: str
    condition: str
    action: Action = Action.HALT
    reset: ResetRule = ResetRule.MANUAL
    scope: str = "account"
    """`account`, `strategy:NAME`, `symbol:NAME`; or `strategy:*` or `symbol:*`, one for each."""
    cooldown_ns: int = 5 * MINUTE_NS
    cooldown_always: bool = False
    """As in a loss rule; of a gauge the cooldown is how long its condition must have failed."""
    confirm_ns_max: int = SECOND_NS
    """As in a loss rule, for conditions over equity."""
    resets_a_day_max: int = 3
    trips_a_day_max: int = 5


def reset_waits_ns(rule: LossRule | BreakerRule) -> int:
    """How long after its trip a fuse of this rule is not reset."""
    binds = rule.cooldown_always or rule.action is Action.FLATTEN
    return rule.cooldown_ns if binds else 0


class CheckRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check of one's own: the order passes when the condition holds; unknown denies."""

    name: str
    condition: str
    message: str = ""


class MarketBreakers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What halts of the exchange do to us: they pause; a resumption plus the delay resumes."""

    enabled: bool = True
    resume_delay_ns: int = 5 * MINUTE_NS
    levels_nanos: tuple[int, int, int] = (7 * PERCENT_NANOS, 13 * PERCENT_NANOS, 20 * PERCENT_NANOS)
    """Falls of the index at which markets halt (NYSE rule 7.12): shown, never guessed from."""
    symbol_halts: bool = True
    """Whether limit-up limit-down pauses of single symbols pause these symbols."""


WAYS_ALWAYS_OPEN: Final = ("cli", "file")
"""A list without them closes neither: whoever may write the state directory may halt."""
WAYS_SWITCHED: Final = ("api", "signal", "watchdog")
WAYS_NOT_YET: Final = ("slack_command", "telegram_command", "web")
"""Ways to the kill switch that a policy may name and that do not exist yet."""


class KillSwitch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which ways to the kill switch are open; `methods` has none that does not exist."""

    enabled: bool = True
    methods: tuple[str, ...] = ("api", "cli", "file", "signal", "watchdog")
    watchdog_timeout_ns: int = 10 * SECOND_NS
    watchdog_flattens: bool = False
    """Whether the dead man closes all positions once it has cancelled everything."""
    drain: DrainRule = DrainRule.CANCEL
    """What a stop by a signal does with what is open."""


class DisconnectRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a strategy counts as lost, and what of its orders protects nothing is cancelled."""

    enabled: bool = False
    after_ns: int = 10 * SECOND_NS
    """For how long it must have been away."""
    connected_by: ConnectedBy = ConnectedBy.STREAM


class ResetRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may loosen, and how often."""

    resets_a_day_max: int = 3
    """Resets of one latch in 24 hours; one more is refused until the first is a day old."""
    two_persons: bool = False
    """Whether a kill is left by two different people."""
    two_persons_always: bool = False
    """Whether every reset takes two different people, not only that of a kill."""
    second_person_ns_max: int = 60 * MINUTE_NS
    """How long the first person's reset waits for the second's."""
    override_ns_max: int = 5 * MINUTE_NS
    """How long an override for one order may wait for its order at most."""


class BackupRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Copies of the state directory that the gateway takes while it runs."""

    enabled: bool = False
    every_ns: int = 24 * HOUR_NS
    path: str = "backups"
    """To which directory; a relative one is inside the state directory."""
    retention_days: int | None = None
    copies: int = 30
    verify: bool = True
    """Whether each copy is restored for trial."""


class StrategyRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy that may trade, and the capital its own losses are measured on."""

    name: str
    capital_nanos: int
    losses: tuple[LossRule, ...] = ()
    trader: str = ""
    desk: str = ""
    client: str = ""
    symbols: tuple[str, ...] = ()
    """What it may trade (permissions); empty: everything."""
    disconnect: DisconnectRule | None = None
    """Its own; None: the account's."""


class SessionRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calendar this account lives by."""

    calendar: str = "XNYS"
    """A name of exchange_calendars, or `24/7`."""
    roll: str = ""
    """`HH:MM` at which a 24/7 day rolls; empty for an exchange: its close."""
    zone: str = ""
    """The roll's time zone; empty: the exchange's own, UTC for 24/7."""
    extended_hours: bool = False
    """Whether orders outside the regular session are let through."""
