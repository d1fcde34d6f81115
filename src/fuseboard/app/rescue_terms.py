"""Where a person's rescue goes, and on which terms: by what the gateway left, else as told."""

import time
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from fuseboard.app.broker_choice import BrokerKeys, has_keys, keys_at, simulated_keys
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.guardian.orders import (
    KEY_NAMES,
    Orders,
    OrdersUnusable,
    Place,
    key_mark,
    read_orders,
)
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.rescue.rescuing import Wanted
from fuseboard.rescue.terms import Terms
from fuseboard.rescue.trips import gateways_trips
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, trip_id

NOBODYS: Final = "rescue00"
"""The instance of a rescue without a state: the same on each machine, so that two people who close
at once send the same orders, and the broker takes each once."""
DAY_NS: Final = 86_400 * 10**9
SAY_WHERE: Final = (
    "--base-url URL says where the account is, such as https://api.alpaca.markets or"
    " https://paper-api.alpaca.markets, and closes go by the default policy"
)


class Way(Struct, frozen=True, kw_only=True):
    """The account, and how a close may trade there."""

    terms: Terms
    broker: BrokerKeys


def way_of(state: StateDirectory, base_url: str, environment: dict[str, str]) -> Way:
    """By the orders that the gateway wrote for its guardian; with a `base_url` by the defaults.

    Raises `StateRefused`.
    """
    if base_url:
        return _way_to(state, base_url, environment)
    place = Place(state.path)
    try:
        orders = read_orders(place)
    except OrdersUnusable as unusable:
        raise StateRefused(f"{unusable}; or: {SAY_WHERE}") from unusable
    if orders is None:
        raise StateRefused(f"there is no {place.orders_file}, which a gateway writes: {SAY_WHERE}")
    key = _key_for(orders, environment)
    broker = BrokerKeys(
        base_url=orders.base_url,
        data_url=orders.data_url,
        data_stream_url="",
        key_id=key[0],
        secret=key[1],
    )
    return Way(terms=orders, broker=broker)


def _key_for(orders: Orders, environment: dict[str, str]) -> tuple[str, str]:
    """The key of the gateway's account: ours, or the simulated exchange's that everybody knows."""
    simulated = simulated_keys(orders.base_url)
    if key_mark(simulated.key_id) == orders.key_mark:
        return simulated.key_id, simulated.secret
    if not has_keys(environment):
        raise StateRefused(
            f"a rescue needs {' and '.join(KEY_NAMES)} of the gateway's account"
            f" {orders.account!r} in the environment or in .env"
        )
    key_id, secret = (environment[name] for name in KEY_NAMES)
    if key_mark(key_id) != orders.key_mark:
        raise StateRefused(
            f"{KEY_NAMES[0]} is not the key of the gateway's account {orders.account!r}: set that"
            f" one. Where it was exchanged at the broker, add --base-url {orders.base_url}"
        )
    return key_id, secret


def _way_to(state: StateDirectory, base_url: str, environment: dict[str, str]) -> Way:
    if not has_keys(environment):
        raise StateRefused(
            f"a rescue needs {' and '.join(KEY_NAMES)} in the environment or in .env"
        )
    broker = keys_at(base_url, environment)
    instance, account = NOBODYS, urlsplit(broker.base_url).hostname or ""
    try:
        known = state.read_identity()
    except (StateRefused, OSError):  # no state, or a damaged one
        pass
    else:
        instance, account = known.instance, known.account
    rules = ExecutionRules()
    terms = Terms(
        instance=instance,
        account=account,
        base_url=broker.base_url,
        data_url=broker.data_url,
        close_collar_nanos=rules.close_collar_nanos,
        close_collar_nanos_max=rules.close_collar_nanos_max,
        close_wait_ns=rules.close_wait_ns,
        close_attempts_max=rules.close_attempts_max,
        close_within_ns=rules.close_within_ns,
        absent_after_ns=rules.absent_after_ns,
        cancel_wait_ns=rules.cancel_wait_ns,
    )
    return Way(terms=terms, broker=broker)


def wanted_of(
    state: StateDirectory, run_ns: int, symbols: tuple[str, ...], *, cancel_only: bool
) -> Wanted:
    """What is closed, under the trip that the gateway, or its guardian, has begun or would begin.

    Without a run the trip is the day's, so that a second rescue goes on where the first ended.
    """
    if cancel_only:
        return Wanted(kept="only cancels were asked for")
    there = state.register_file.exists()
    begun = gateways_trips(state.register_file).begun if there else {}
    by_day = trip_id(fuse="rescue", generation=time.time_ns() // DAY_NS)
    own = trip_id(fuse="guardian", generation=run_ns) if run_ns else by_day
    trip = begun.get(ACCOUNT_SCOPE, own)
    if not symbols:
        return Wanted(trip=trip)
    kept = f"only {', '.join(symbols)} was asked for"
    return Wanted(trips=dict.fromkeys(symbols, trip), kept=kept)
