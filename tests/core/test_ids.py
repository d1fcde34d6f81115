"""A close's id is a function of (trip, symbol, attempt); a trip's, of (fuse, arming) (law 3)."""

import os
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import identifiers
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, submitted

ROOT = Path(__file__).resolve().parent.parent.parent
TRIPS = ("latch:account#1", "latch:account#2", "latch:symbol:AAPL#1", "drawdown:account#1")
CLOSES = tuple(product(TRIPS, ("AAPL", "TSLA"), (1, 2)))


def ids_of_a_close(trip: str, symbol: str, attempt: int) -> tuple[str, str, str]:
    """Client order id, our order id, wire id."""
    client = identifiers.close_client_order_id(trip=trip, symbol=symbol, attempt=attempt)
    ours = identifiers.order_id(
        instance="deskdesk", account="A1", strategy="", client_order_id=client
    )
    return client, ours, identifiers.wire_id(instance="deskdesk", order_id=ours)


def flatten(desk: Desk, scope: str = "account") -> tuple[fx.Effect, ...]:
    return desk.take(
        OperatorHaltRequested(
            request=90, operator="ann", reason="drill", scope=scope, level=HaltLevel.FLATTEN
        )
    )


def read_in(effects: tuple[fx.Effect, ...]) -> fx.ReadLeg:
    (read,) = [effect for effect in effects if isinstance(effect, fx.ReadLeg)]
    return read


def closed(desk: Desk, read: fx.ReadLeg) -> fx.SubmitOrder:
    held = desk.held * NANOS
    leg = facts.LegRead(
        trip=read.trip,
        symbol=read.symbol,
        attempt=read.attempt,
        position_nanos=held,
        against_nanos=0,
    )
    (close,) = submitted(desk.take(leg))
    return close


def ids(close: fx.SubmitOrder) -> tuple[str, str, str]:
    return close.client_order_id, close.order_id, close.wire_id


def test_two_kernels_with_different_pasts_derive_the_same_ids_for_the_same_close() -> None:
    plain, busy = Desk(held=100), Desk(held=250)
    busy.quote("AAPL", 260)
    busy.now_ns += 1_000 * SECOND
    busy.quote("AAPL", 260)
    expected = ids_of_a_close("latch:account#1", "AAPL", 1)
    for desk in (plain, busy):
        read = read_in(flatten(desk))
        assert (read.order_id, read.wire_id) == expected[1:], "the broker is asked for that id"
        assert ids(closed(desk, read)) == expected


def test_the_ids_of_a_close_survive_a_restart() -> None:
    desk = Desk(held=100)
    read = read_in(flatten(desk))
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.now_ns += 100 * SECOND
    desk.start()
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert ids(closed(desk, read)) == ids_of_a_close("latch:account#1", "AAPL", 1)


def test_another_scope_symbol_or_attempt_is_another_id() -> None:
    seen = {part for close in CLOSES for part in ids_of_a_close(*close)}
    assert len(seen) == 3 * len(CLOSES)
    names = [
        identifiers.order_id(instance=i, account=a, strategy=s, client_order_id=c)
        for i, a, s, c in product(("aaaaaaaa", "bbbbbbbb"), ("A1", "A2"), ("", "x"), ("c", "d"))
    ]
    assert all(one != other for one, other in combinations(names, 2))


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "bc"), ("ab", "c")), (("", "abc"), ("abc", "")), (("a", "b/c"), ("a/b", "c"))],
)
def test_parts_that_join_to_the_same_text_are_different_ids(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    made = [
        identifiers.order_id(
            instance="aaaaaaaa", account="A1", strategy=strategy, client_order_id=client
        )
        for strategy, client in (one, other)
    ]
    assert made[0] != made[1]


def test_the_next_attempt_has_the_next_id_and_the_same_trip() -> None:
    desk = Desk(held=100)
    read = read_in(flatten(desk))
    for attempt in (1, 2, 3):
        close = closed(desk, read)
        assert ids(close) == ids_of_a_close("latch:account#1", "AAPL", attempt)
        ended = facts.OrderEnded(
            order_id=close.order_id,
            broker_order_id=f"b{attempt}",
            status=OrderStatus.EXPIRED,
            filled_quantity_nanos=0,
            filled_price_nanos=0,
        )
        read = read_in(desk.take(ended))


PROGRAM = """
from tests.core.test_ids import CLOSES, Desk, closed, flatten, ids, ids_of_a_close, read_in
desk = Desk(held=100)
print([ids_of_a_close(*close) for close in CLOSES], ids(closed(desk, read_in(flatten(desk)))))
print(hash("a string"))
"""


def test_two_processes_with_different_hash_seeds_derive_the_same_ids() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.splitlines()
        for seed in ("1", "2")
    ]
    assert said[0][1] != said[1][1], "the hash seeds had no effect: the test proves nothing"
    own = ids_of_a_close("latch:account#1", "AAPL", 1)
    assert said[0][0] == said[1][0] == f"{[ids_of_a_close(*close) for close in CLOSES]} {own}"


def test_only_a_reset_begins_the_next_generation() -> None:
    desk = Desk(held=100)
    trips = []
    for _ in range(3):
        read = read_in(flatten(desk))
        trips.append(read.trip)
        for again in (
            OperatorHaltRequested(
                request=91, operator="", reason="", scope="account", level=HaltLevel.FLATTEN
            ),
            facts.TimeAdvanced(),
            facts.BrokerStreamChanged(connected=False),
            facts.BrokerStreamChanged(connected=True),
        ):
            for effect in desk.take(again):
                if isinstance(effect, fx.ReadLeg | fx.LatchHalt | RecordPlan):
                    assert effect.trip == read.trip, f"{again} made another trip"
        desk.kernel = Kernel.restored(desk.kernel.snapshot())
        desk.start(latched=(_latched(read.trip),))
        _sold(desk, read)
        reset = OperatorResetRequested(
            request=92, operator="bob", reason="looked at it", scope="account", rebase=False
        )
        (answer,) = [e for e in desk.take(reset) if isinstance(e, fx.AnswerOperator)]
        assert answer.accepted, answer.message
        _bought_back(desk)
    assert trips == ["latch:account#1", "latch:account#2", "latch:account#3"]


def _latched(trip: str) -> facts.LatchedScope:
    return facts.LatchedScope(
        scope="account",
        level=HaltLevel.FLATTEN,
        reason=Reason.OPERATOR,
        trip=trip,
        halt_epoch=1,
    )


def _sold(desk: Desk, read: fx.ReadLeg) -> None:
    """The close fills whole, and the broker confirms that nothing is left."""
    again = read_in(desk.take(_whole(desk, closed(desk, read))))
    gone = facts.LegRead(
        trip=again.trip,
        symbol=again.symbol,
        attempt=again.attempt,
        position_nanos=0,
        against_nanos=0,
    )
    (ended,) = [e for e in desk.take(gone) if isinstance(e, RecordPlan)]
    assert (ended.stage, ended.left) == ("ended", ())


def _whole(desk: Desk, order: fx.SubmitOrder) -> facts.OrderSent:
    return facts.OrderSent(
        order_id=order.order_id,
        broker_order_id=f"b-{order.order_id[:8]}",
        status=OrderStatus.FILLED,
        filled_quantity_nanos=desk.held * NANOS,
        filled_price_nanos=250 * NANOS,
    )


def _bought_back(desk: Desk) -> None:
    """Hold the same shares again, as the broker has them."""
    desk.quote("AAPL", 250)
    (order,) = submitted(desk.order(Side.BUY, desk.held * NANOS))
    desk.take(_whole(desk, order))
