"""A session's end on real processes: an early close on the exchange's tape ends the day."""

from datetime import date
from pathlib import Path

import msgspec
import pyarrow as arrow
import pyarrow.parquet as parquet

from fuseboard.exchange.calendar import trading_days
from fuseboard.feeds.calendars import Hours, Kept
from fuseboard.vocabulary.effects import RaiseAlert
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.reasons import Reason
from tests.e2e.processes import World, accepted, status, until

DAY = date(2010, 11, 26)  # the day after Thanksgiving: New York closes at one
NEXT = date(2010, 11, 29)
CLOSE_NS = 1_290_794_400_000_000_000  # 13:00 in New York
FIRST_S, LAST_S = (12 * 60 + 57) * 60, (13 * 60 + 4) * 60
SPEED = 20
POLICY = """\
name: sessions
strategies:
  - name: alpha
    capital: 100000 USD
    losses:
      daily: {hard: 0.3%, action: halt_new_trades, reset: next_trading_day, cooldown: 1s}
  - {name: beta, capital: 10000 USD}
session: {calendar: XNYS}
safety: {loss_limits: {drawdown: {hard: 20%, action: halt_new_trades}}}
"""


def tape(folder: Path) -> str:
    """A quote a second of 99.60 to 100.40: who buys has lost 0.4 % at once."""
    rows = [
        {
            "index": f"{DAY}T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}",
            "bid-price": "99.6",
            "bid-volume": "50",
            "ask-price": "100.4",
            "ask-volume": "50",
            "trade-price": "100",
            "trade-volume": "100",
        }
        for at in range(FIRST_S, LAST_S)
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), folder / "AAPL.parquet")
    return f"{folder / 'AAPL.parquet'}:{DAY}@12:57-13:04"


def keep_calendar(state: Path) -> None:
    """The exchange's hours of those weeks as the gateway keeps them, by another calendar."""
    known = trading_days(date(2010, 10, 1), date(2011, 1, 31), days_max=100)
    hours = tuple(Hours(each.day.isoformat(), each.open_ns, each.close_ns) for each in known)
    (day,) = [each for each in known if each.day == DAY]
    (state / "calendars").mkdir()
    kept = Kept("XNYS", day.open_ns, hours)
    (state / "calendars" / "XNYS.json").write_bytes(msgspec.json.encode(kept))


def begun(here: World) -> list[str]:
    return [e.text for e in here.effects(RaiseAlert) if e.code is Reason.SESSION_ROLLED]


def test_an_early_close_expires_day_orders_begins_the_next_session_and_lifts_nothing_that_day(
    here: World,
) -> None:
    here.init(POLICY)
    keep_calendar(here.state)
    exchange = here.exchange(tape=tape(here.folder), speed=SPEED)
    gateway = here.gateway(exchange.url, "--sessions", "--speed", str(SPEED))
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
    alpha, beta = here.bot(gateway.url, "alpha"), here.bot(gateway.url, "beta")
    exchange.start()
    until(lambda: begun(here), "the tape's first session begins")
    resting = beta.buy_limit("AAPL", 5, 60)
    assert resting["ok"], resting
    accepted(alpha.buy("AAPL", 900))
    gateway.wait_for(lambda now: "HALTED" in str(now["fuses"]), "alpha's daily loss has tripped")
    refused = alpha.buy("AAPL", 1)
    assert "posture_halted" in refused["message"], refused
    assert exchange.state()["now_ns"] < CLOSE_NS, "all that happened before the close"

    until(
        lambda: (
            beta.ask("order", client_order_id=resting["value"]["client_order_id"])["value"][
                "status"
            ]
            == "expired"
        ),
        "the day order expires at one",
    )
    until(lambda: len(begun(here)) == 2, "the next session begins")
    assert not [at for at in here.effects(RecordTransition) if at.operator]
    assert begun(here) == [f"session {DAY} begins", f"session {NEXT} begins"]
    (daily,) = [at for at in status(here.state)["fuses"] if "daily_loss" in at["fuse"]]
    assert daily["state"] == "HALTED", "the next trading day opens on Monday"
    closed = beta.buy("AAPL", 1)
    assert "session_closed" in closed["message"], closed
    gateway.stop()
    here.evidence_is_clean()
