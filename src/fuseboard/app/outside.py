"""What a node is put together with: the broker, its market data, the strategies' door."""

import itertools
from collections.abc import Callable
from typing import Final

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.control.state_directory import StateDirectory
from fuseboard.feeds.alpaca import AlpacaFeedOptions
from fuseboard.feeds.alpaca_both import AlpacaFeeds
from fuseboard.gateway.door import GatewayDoor
from fuseboard.gateway.keys import Keys
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.orders import Node as OrderNode
from fuseboard.gateway.presence import Grace, Graces, Presence
from fuseboard.gateway.watchlists import Watchlists
from fuseboard.policy.policy import Policy, own_disconnects
from fuseboard.policy.rules import DisconnectRule
from fuseboard.runtime.cancels import CancelLimits
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.questions import QuestionLimits
from fuseboard.runtime.submits import SubmitLimits
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.evidence_effects import RecordPolicy

GATEWAY_READS_A_MINUTE: Final = 20
"""What the gateway's own reads may take of the broker's request limit."""
_SUBMITS, _CANCELS, _QUESTIONS = SubmitLimits(), CancelLimits(), QuestionLimits()
CONNECTIONS_MAX: Final = (
    _SUBMITS.orders_in_flight_max
    + _SUBMITS.protective_in_flight_max
    + _CANCELS.cancels_in_flight_max
    + 2 * _QUESTIONS.in_flight_max
)
"""To the broker: orders, closes, cancels and both kinds of questions may be under way at once."""


def outside(
    keys: BrokerKeys, instance: str, died: Callable[[str], object]
) -> tuple[AlpacaBroker, AlpacaFeeds]:
    """The broker and its market data, by the keys of one account; `died` is told when the task
    behind one of their streams fails, for without it fills or prices would be missed unseen.
    """
    broker = AlpacaBroker(
        AlpacaOptions(
            base_url=keys.base_url,
            data_url=keys.data_url,
            key_id=keys.key_id,
            secret=keys.secret,
            instance=instance,
            connections_max=CONNECTIONS_MAX,
        ),
        died=died,
    )
    feed = AlpacaFeeds(
        AlpacaFeedOptions(
            stream_url=keys.data_stream_url,
            data_url=keys.data_url,
            key_id=keys.key_id,
            secret=keys.secret,
            real_time=keys.real_time,
            lacks=lacks_of(keys.data_stream_url),
            books=not keys.real_time,  # Alpaca's stock stream has none, the simulated one does
        ),
        died=died,
    )
    return broker, feed


def lacks_of(stream_url: str) -> tuple[str, ...]:
    """What a stock stream does not give: IEX has the trades of one exchange, a few in a hundred."""
    return ("trades",) if stream_url.rstrip("/").endswith("/iex") else ()


class BooksWanted:
    """A view that has the feed tell books exactly while the policy in force measures liquidity:
    nothing else looks at them, and each would be journaled.
    """

    def __init__(self, feed: AlpacaFeeds, in_force: Callable[[], Policy]) -> None:
        self._feed = feed
        self._in_force = in_force
        feed.tell_books(False)

    def apply(self, effect: Effect) -> None:
        """A policy may have come into force."""
        if isinstance(effect, RecordPolicy):
            self._feed.tell_books(self._in_force().liquidity.enabled)


class GracesFollowed:
    """A view that has the gateway judge who is lost by the policy in force."""

    def __init__(self, presence: Presence, in_force: Callable[[], Policy]) -> None:
        self._presence = presence
        self._in_force = in_force

    def apply(self, effect: Effect) -> None:
        """A policy may have come into force."""
        if isinstance(effect, RecordPolicy):
            self._presence.follow(graces_of(self._in_force()))


def policy_views(
    feed: AlpacaFeeds, door: GatewayDoor, in_force: Callable[[], Policy]
) -> list[BooksWanted | GracesFollowed]:
    """What around the kernel follows each policy that comes into force."""
    return [BooksWanted(feed, in_force), GracesFollowed(door.presence, in_force)]


def graces_of(policy: Policy) -> Graces:
    """How long strategies may be away under a policy, and by what they are there."""
    own = {name: _grace(rule) for name, rule in own_disconnects(policy).items()}
    return Graces(_grace(policy.disconnect), own)


def _grace(rule: DisconnectRule) -> Grace | None:
    return Grace(rule.connected_by, rule.after_ns) if rule.enabled else None


def strategies_door(
    state: StateDirectory,
    keys: Keys,
    intake: Intake,
    broker: AlpacaBroker,
    feed: AlpacaFeeds,
    presence: Presence,
) -> GatewayDoor:
    """The door that strategies come to."""
    identity = state.identity()
    return GatewayDoor(
        node=OrderNode(instance=identity.instance, account=identity.account),
        intake=intake,
        keys=keys,
        broker=broker,
        market=feed,
        limits=GatewayLimits(trading_reads_a_minute_max=GATEWAY_READS_A_MINUTE),
        numbers=itertools.count(1).__next__,
        watchlists=Watchlists(state.watchlists_file),
        presence=presence,
    )
