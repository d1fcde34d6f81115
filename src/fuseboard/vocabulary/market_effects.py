"""Effects of the market: what is watched, and evidence of what its exchanges said."""

from fuseboard.vocabulary.act import Act


class WatchSymbol(Act, frozen=True, tag=True):
    """Subscribe to market data of a symbol: something is held or ordered in it."""

    symbol: str


class RecordTradingHalt(Act, frozen=True, tag=True):
    """Evidence of an exchange's halt: `halted`, `resumed` by the exchange, `let_on` by us.

    `traded`: a close was filled though nobody heard a resumption; exits go on, new risk does not.
    `operator` is who let on: `exchange` after its resumption and our delay, `calendar:NAME` at the
    session after a market-wide level 3, or a person. An empty symbol is the whole market.
    """

    symbol: str
    stage: str
    code: str
    level: int
    event_ns: int
    operator: str = ""
    reason: str = ""
