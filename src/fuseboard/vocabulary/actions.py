"""What a rule of the policy does when it is reached, from the mildest to the hardest."""

from enum import Enum


class Action(Enum):
    """The value is the word in journals; policies may also write the synonyms below."""

    NOTIFY = "notify"
    """An alert and nothing else."""
    REDUCE = "reduce"
    """A gauge: new risk is halved while the rule is reached, and back with hysteresis."""
    REDUCE_ONLY = "reduce_only"
    """A latch that lets exits pass: proven reductions and stops; what raises exposure is
    cancelled.
    """
    HALT = "halt"
    """A latch: nothing passes but cancels, not even a reduction; stops that work already stay."""
    FLATTEN = "flatten"
    """A latch with a plan: everything in the scope is cancelled and closed, once."""
    KILL = "kill"
    """A latch that also disconnects the strategies of the scope."""


class Reference(Enum):
    """What a loss is measured from."""

    SESSION_PEAK = "session_peak"
    """The highest equity of the session, at least the equity at the prior close."""
    PEAK = "peak"
    """The highest equity since the fuse was armed; no session rolls it."""
    ROLLING_PEAK = "rolling_peak"
    """The highest equity of the last so many sessions and of this one."""
    SESSION_OPEN = "session_open"
    WEEK_OPEN = "week_open"
    MONTH_OPEN = "month_open"


class DrainRule(Enum):
    """What an orderly stop does with what is open at the broker."""

    LEAVE = "leave"
    """Nothing: what works goes on working, with nobody there."""
    CANCEL = "cancel"
    """What works is cancelled; stops that reduce a position stay."""
    FLATTEN = "flatten"
    """Everything is cancelled and closed."""


class ConnectedBy(Enum):
    """By what a strategy counts as connected."""

    STREAM = "stream"
    """At least one authorized `trade_updates` session."""
    REQUESTS = "requests"
    """Its authenticated requests; a stream alone says nothing."""
    PROCESS = "process"
    """The command that the gateway itself has started for it."""


class ResetRule(Enum):
    """Who lifts a latch."""

    MANUAL = "manual"
    """A named person with a reason."""
    NEXT_TRADING_DAY = "next_trading_day"
    """The exchange calendar and the broker's clock, recorded as such; or a person earlier."""
