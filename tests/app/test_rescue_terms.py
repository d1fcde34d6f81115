"""Where a rescue goes, with which key, under which trips, and when it has come to its end."""

import re
from argparse import Namespace
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from fuseboard.app.init_command import command_init
from fuseboard.app.rescue_command import _is_out
from fuseboard.app.rescue_terms import NOBODYS, wanted_of, way_of
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.guardian.orders import Orders, Place, key_mark
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.rescue.outcome import Outcome
from fuseboard.rescue.rescuing import Wanted
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, checked_instance
from fuseboard.vocabulary.inputs import BrokerPosition, Moment
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET

URL = "https://api.alpaca.markets"
KEYS = {"ALPACA_API_KEY": "A", "ALPACA_SECRET_KEY": "s"}
WANTED = Wanted(trip="guardian#7")


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    command_init(Namespace(state=tmp_path / "state", account="main", policy=None))
    return StateDirectory(tmp_path / "state")


def ordered(state: StateDirectory, key_id: str) -> Orders:
    """As the gateway writes them."""
    orders = Orders(
        instance="abcd1234", account="main", base_url=URL, data_url="https://data", flatten=False,
        key_mark=key_mark(key_id), timeout_ns=1, close_collar_nanos=2, close_collar_nanos_max=3,
        close_wait_ns=4, close_attempts_max=5, close_within_ns=6, absent_after_ns=7,
        cancel_wait_ns=8,
    )  # fmt: skip
    Place(state.path).orders_file.write_bytes(msgspec.json.encode(orders))
    return orders


def test_the_gateways_orders_say_where_and_how(state: StateDirectory) -> None:
    orders = ordered(state, "A")
    way = way_of(state, "", KEYS)
    assert way.terms == orders
    assert (way.broker.base_url, way.broker.key_id, way.broker.secret) == (URL, "A", "s")


@pytest.mark.parametrize(
    ("key_id", "environment", "says"),
    [
        ("B", KEYS, f"not the key of the gateway's account 'main': .* --base-url {URL}"),
        ("A", {}, "needs ALPACA_API_KEY and ALPACA_SECRET_KEY of .* 'main'"),
        ("A", {"ALPACA_API_KEY": "A"}, "ALPACA_SECRET_KEY is not"),
    ],
)
def test_another_accounts_key_or_none_is_refused(
    state: StateDirectory, key_id: str, environment: dict[str, str], says: str
) -> None:
    ordered(state, key_id)
    with pytest.raises(StateRefused, match=says):
        way_of(state, "", environment)


def test_the_simulated_exchange_needs_no_key_of_anybody(state: StateDirectory) -> None:
    ordered(state, EXCHANGE_KEY)
    way = way_of(state, "", KEYS)
    assert (way.broker.key_id, way.broker.secret) == (EXCHANGE_KEY, EXCHANGE_SECRET)


def test_orders_that_are_gone_or_damaged_are_made_up_for_by_an_address(
    state: StateDirectory, tmp_path: Path
) -> None:
    with pytest.raises(StateRefused, match=r"there is no .*guardian.json.*--base-url URL"):
        way_of(state, "", KEYS)
    Place(state.path).orders_file.write_bytes(b"{")
    with pytest.raises(StateRefused, match=r"is damaged .*--base-url URL"):
        way_of(state, "", KEYS)
    terms = way_of(state, f"{URL}/v2/", KEYS).terms
    assert (terms.base_url, terms.instance) == (URL, state.identity().instance)
    rules = ExecutionRules()
    assert all(
        getattr(terms, name) == getattr(rules, name)
        for name in terms.__struct_fields__
        if hasattr(rules, name)
    ), "as the default policy closes"
    nobodys = way_of(StateDirectory(tmp_path / "none"), URL, KEYS).terms
    assert (nobodys.instance, nobodys.account) == (NOBODYS, "api.alpaca.markets")
    assert checked_instance(NOBODYS)
    with pytest.raises(StateRefused, match="needs ALPACA_API_KEY"):
        way_of(state, URL, {})
    with pytest.raises(StateRefused, match="unencrypted"):
        way_of(state, "http://api.alpaca.markets", KEYS)


def test_what_the_gateway_was_closing_goes_on_under_its_trip(state: StateDirectory) -> None:
    assert wanted_of(state, 7, (), cancel_only=False) == WANTED, "as its guardian would"
    halt = LatchHalt(
        scope=ACCOUNT_SCOPE, level=HaltLevel.FLATTEN, reason=Reason.DRAWDOWN, trip="drawdown#3",
        halt_epoch=1, detail="",
    )  # fmt: skip
    with closing(HaltsRegister(state.register_file, Slot.GATEWAY)) as register:
        register.latch(halt, Moment(1, 1))
    assert wanted_of(state, 7, (), cancel_only=False) == Wanted(trip="drawdown#3")
    one = wanted_of(state, 7, ("AAPL",), cancel_only=False)
    assert (one.trip, one.trips) == ("", {"AAPL": "drawdown#3"})
    assert one.kept == "only AAPL was asked for"
    assert not wanted_of(state, 7, (), cancel_only=True).closes()


def test_without_a_run_it_is_the_days_trip_so_that_a_second_one_goes_on(tmp_path: Path) -> None:
    nowhere = StateDirectory(tmp_path / "none")
    first = wanted_of(nowhere, 0, (), cancel_only=False).trip
    assert re.fullmatch(r"rescue#\d{5}", first)
    assert wanted_of(nowhere, 0, (), cancel_only=False).trip == first


def held(*symbols: str) -> tuple[BrokerPosition, ...]:
    one = {"quantity_nanos": NANOS, "price_nanos": NANOS, "average_price_nanos": NANOS}
    return tuple(BrokerPosition(symbol=symbol, **one) for symbol in symbols)


@pytest.mark.parametrize(
    ("outcome", "wanted", "is_out"),
    [
        (Outcome(cancelled=True, held=()), WANTED, True),
        (Outcome(cancelled=False, held=()), WANTED, False),
        (Outcome(cancelled=True, held=None), WANTED, False),
        (Outcome(cancelled=True, held=held("AAPL")), WANTED, False),
        (Outcome(cancelled=True, held=(), unread=("AAPL",)), WANTED, False),
        (Outcome(cancelled=True, held=held("AAPL")), Wanted(trips={"TSLA": "t"}), True),
        (Outcome(cancelled=True, held=held("TSLA")), Wanted(trips={"TSLA": "t"}), False),
        (Outcome(cancelled=True, held=held("AAPL")), Wanted(kept="only cancels"), True),
        (Outcome(cancelled=False, held=None), Wanted(kept="only cancels"), False),
    ],
)
def test_out_is_what_the_brokers_last_read_shows(
    outcome: Outcome, wanted: Wanted, is_out: bool
) -> None:
    assert _is_out(outcome, wanted) is is_out
