"""Inputs that people give: halts, resets, cash, overrides, and each use of the control API.

`via` says by what somebody proved to be somebody: `key:ID` of the control API, `user:UID` of the
local socket as the system told it; empty where nothing told. A name alone proves nobody.
"""

from fuseboard.vocabulary.fact import Fact
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason


class OperatorHaltRequested(Fact, frozen=True, tag=True):
    """A person asks for a halt of a scope (`account`, `strategy:NAME`, `symbol:NAME`).

    `register_epoch` is set when another process wrote the latch into the register already.
    """

    request: int
    operator: str
    reason: str
    scope: str
    level: HaltLevel
    register_epoch: int = 0
    via: str = ""
    code: Reason = Reason.OPERATOR
    """Why, where it was not a person: as the register has it."""


class OperatorResetRequested(Fact, frozen=True, tag=True):
    """A named person, with a reason, asks to loosen: reset every latched fuse of the scope.

    `rebase` takes a new high-water mark instead of keeping the old one.
    """

    request: int
    operator: str
    reason: str
    scope: str
    rebase: bool = False
    via: str = ""
    halt_file: str = ""
    """The path of the file HALT, where it was there when this was asked: it halts the account."""
    seen_epoch: int | None = None
    """The number of the newest halt that its author saw: a later one of the scope refuses it."""


class ControlUsed(Fact, frozen=True, tag=True):
    """Somebody used the control API: whose key and role, both empty for no known key, and for what.

    What was granted follows as an input of its own where it acts.
    """

    operator: str
    role: str
    use: str
    granted: bool
    via: str = ""
    unjournaled: int = 0
    """How many uses before this one were refused without a record: too many came in a second."""


class CashMoved(Fact, frozen=True, tag=True):
    """Money entered (positive) or left the account, for a known reason; marks rebase."""

    request: int
    amount_nanos: int
    why: str
    via: str = ""


class DividendSaid(Fact, frozen=True, tag=True):
    """A person says that a symbol pays a cash dividend; a rate of 0 takes that back.

    Said again for the same ex-date it is said anew. Who holds the symbol when its ex-date begins
    (`ex_ns`, wall time) is owed the rate of each share; from `payable_ns` on its cash is awaited.
    """

    request: int
    symbol: str
    ex_date: str
    """`YYYY-MM-DD`."""
    rate_nanos: int
    ex_ns: int
    payable_ns: int
    why: str
    via: str = ""


class OverrideRequested(Fact, frozen=True, tag=True):
    """A named person asks that one order of a strategy may pass one check; another one verifies.

    `expires_ns` counts from now; `check` is a name of the table of checks. With a worst price
    a buy may not be able to pay more, nor a sell to get less; checks of prices need one.
    """

    request: int
    operator: str
    reason: str
    strategy: str
    symbol: str
    side: Side
    quantity_nanos_max: int
    check: str
    expires_ns: int
    worst_price_nanos: int | None = None
    via: str = ""


class OverrideVerified(Fact, frozen=True, tag=True):
    """A second named person verifies an override that was asked for."""

    request: int
    operator: str
    override: str
    via: str = ""
