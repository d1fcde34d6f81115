"""An ex-date on real processes: the price falls by the dividend and nothing trips; cash comes."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet

from fuseboard.exchange.ledger import CashMoved
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.effects import LatchHalt, PublishEquity, RaiseAlert
from fuseboard.vocabulary.money import NANOS, nanos_from_text
from fuseboard.vocabulary.orders import Severity
from tests.e2e.processes import Exchange, World, accepted, status, until
from tests.e2e.test_sessions import keep_calendar

DAY, EX, PAYABLE = date(2010, 11, 29), date(2010, 11, 30), date(2010, 12, 1)
SPEED = 7_200
"""Two hours a second: a night takes nine seconds."""
SHARES = 900
BEFORE, AFTER = 100, 96
"""4 % of a position of nine tenths: the fuse below trips at 2 %."""
POLICY = """\
name: dividends
session: {calendar: XNYS}
strategies:
  - {name: alpha, capital: 100000 USD}
safety: {loss_limits: {drawdown: {hard: 2%, action: halt_new_trades}}}
"""


def tape(folder: Path) -> str:
    """Two days, a quote in five minutes: at 100, and on the ex-date at 96."""
    rows = []
    for day, price in ((DAY, BEFORE), (EX, AFTER)):
        at = datetime.combine(day, time(9, 30))
        while at.time() < time(16):
            rows.append(
                {
                    "index": f"{at:%Y-%m-%dT%H:%M:%S}",
                    "bid-price": f"{price - 0.01:.2f}",
                    "bid-volume": "50",
                    "ask-price": f"{price + 0.01:.2f}",
                    "ask-volume": "50",
                    "trade-price": str(price),
                    "trade-volume": "100",
                }
            )
            at += timedelta(minutes=5)
    parquet.write_table(arrow.Table.from_pylist(rows), folder / "AAPL.parquet")
    return f"{folder / 'AAPL.parquet'}:{DAY:%Y-%m}"


def paid(exchange: Exchange) -> list[CashMoved]:
    return [entry for entry in exchange.ledger() if isinstance(entry, CashMoved)]


def test_a_held_symbol_falls_by_its_dividend_and_nothing_trips_and_its_cash_is_no_gain(
    here: World,
) -> None:
    here.init(POLICY)
    keep_calendar(here.state)
    dividend = f"AAPL:4:{EX}:{PAYABLE}"
    exchange = here.exchange(tape=tape(here.folder), speed=SPEED, dividends=(dividend,))
    gateway = here.gateway(exchange.url, "--sessions", "--speed", str(SPEED))
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
    alpha = here.bot(gateway.url, "alpha")
    accepted(alpha.buy("AAPL", SHARES))
    until(lambda: exchange.positions() == {"AAPL": str(SHARES)}, "alpha holds what it bought")
    exchange.start()

    def known() -> list[DividendsSeen]:
        facts = [record.input for record in here.records()]
        return [at for at in facts if isinstance(at, DividendsSeen) and at.dividends]

    until(known, "the broker's announcement is read")
    said = gateway.wait_for(lambda now: now["dividends"], "the price falls by it: it is owed")
    assert "AAPL: 3,600.00 USD are owed for the dividend of 2010-11-30" in str(said["dividends"])
    until(lambda: paid(exchange), "its cash comes")
    assert [(at.dividend_of, at.amount_nanos) for at in paid(exchange)] == [("AAPL", 3_600 * NANOS)]
    gateway.wait_for(lambda now: not now["dividends"], "it is paid")
    now = status(here.state)
    (fuse,) = [at for at in now["fuses"] if at["fuse"] == "drawdown:account"]
    assert fuse["worst_drawdown_nanos"] < 2_000_000, "the spread, and no dividend"
    assert fuse["equity_nanos"] == nanos_from_text(exchange.state()["equity"])
    assert here.effects(LatchHalt) == []
    paged = [at.text for at in here.effects(RaiseAlert) if at.severity is Severity.PAGE]
    assert paged == []
    lost = [at.drawdown_nanos for at in here.effects(PublishEquity) if at.scope == "account"]
    assert max(lost) < 2_000_000
    gateway.stop()
    here.evidence_is_clean()
