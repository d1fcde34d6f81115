"""A guardian's acts at a real exchange, without a gateway and without a process of its own."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuseboard.exchange.ledger import LedgerEntry, OrderAccepted
from fuseboard.guardian.acting import Acts
from fuseboard.guardian.orders import Orders, Place, key_mark
from fuseboard.guardian.watching import Finding, Kind, What
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue.journal import GuardianJournal, read_lines
from fuseboard.rescue.outcome import Outcome
from fuseboard.vocabulary.identifiers import (
    ACCOUNT_SCOPE,
    close_client_order_id,
    order_id,
    wire_id,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET, Exchange

INSTANCE, ACCOUNT, RUN_NS = "abcd1234", "default", 1_700_000_000_000_000_000
MISSED = Finding(What.MISSED, Kind.GONE, 2_000_000_000)


class Heard:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.ages_ns: list[int] = []

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        self.texts.append(f"{severity} {code} {scope} {text}")
        self.ages_ns.append(age_ns)


class Scene:
    """An exchange with orders and positions, and a state directory without a gateway."""

    def __init__(self, folder: Path) -> None:
        self.exchange = Exchange(folder, tape="normal", requests_per_minute=5_000)
        self.exchange.start()
        self.place = Place(folder)
        self.heard = Heard()
        HaltsRegister.create(self.place.register_file)

    def orders(self, **changed: object) -> Orders:
        fields: dict[str, object] = {
            "instance": INSTANCE,
            "account": ACCOUNT,
            "base_url": self.exchange.url,
            "data_url": self.exchange.url,
            "key_mark": key_mark(EXCHANGE_KEY),
            "timeout_ns": 2 * NANOS,
            "flatten": True,
            "close_collar_nanos": NANOS // 100,
            "close_collar_nanos_max": NANOS // 10,
            "close_wait_ns": NANOS,
            "close_attempts_max": 4,
            "close_within_ns": 5 * NANOS,
            "absent_after_ns": NANOS // 2,
        }
        return Orders(**(fields | changed))  # type: ignore[arg-type]

    def send(self, symbol: str, quantity: int, side: str, **more: object) -> None:
        kind = "limit" if "limit_price" in more else "market"
        body = {"symbol": symbol, "qty": str(quantity), "side": side, "type": kind}
        headers = {"APCA-API-KEY-ID": EXCHANGE_KEY, "APCA-API-SECRET-KEY": EXCHANGE_SECRET}
        text = json.dumps({**body, "time_in_force": "day", **more}).encode()
        asked = urllib.request.Request(f"{self.exchange.url}/v2/orders", text, headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200

    def act(self, *, may_close: bool = True, **changed: object) -> Outcome:
        journal = GuardianJournal(self.place.journal_file)
        acts = Acts(
            place=self.place,
            orders=self.orders(**changed),
            key=(EXCHANGE_KEY, EXCHANGE_SECRET),
            run_ns=RUN_NS,
            journal=journal,
            page=lambda severity, text, **_age: self.heard.page(
                severity.value, Reason.GUARDIAN.value, ACCOUNT_SCOPE, text
            ),
        )
        assert acts.secure(MISSED, None) is False, "without a beat nothing is certainly dead"
        outcome = asyncio.run(acts.act(may_close=may_close))
        journal.close()
        return outcome

    def ledger(self) -> list[LedgerEntry]:
        return self.exchange.ledger()

    def ours(self) -> list[OrderAccepted]:
        return [
            each
            for each in self.ledger()
            if isinstance(each, OrderAccepted) and each.client_order_id.startswith("fb-")
        ]


def close_id(trip: str, symbol: str, attempt: int) -> str:
    client = close_client_order_id(trip=trip, symbol=symbol, attempt=attempt)
    ours = order_id(instance=INSTANCE, account=ACCOUNT, strategy="", client_order_id=client)
    return wire_id(instance=INSTANCE, order_id=ours)


@contextmanager
def standing(folder: Path) -> Iterator[Scene]:
    """A scene whose exchange is gone afterwards."""
    made = Scene(folder)
    try:
        yield made
    finally:
        made.exchange.kill()


def last_said(scene: Scene) -> str:
    return read_lines(scene.place.journal_file)[-1].detail


def acts_of(scene: Scene) -> list[str]:
    return [line.act for line in read_lines(scene.place.journal_file)]
