"""The outside of a node: the broker of its account, and that broker's market data."""

from typing import Final

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.feeds.alpaca import AlpacaFeedOptions
from fuseboard.feeds.alpaca_both import AlpacaFeeds

CONNECTIONS_MAX: Final = 112
"""To the broker: orders, closes, cancels and questions may all be under way at once."""


def outside(keys: BrokerKeys, instance: str) -> tuple[AlpacaBroker, AlpacaFeeds]:
    """The broker and its market data, by the keys of one account."""
    broker = AlpacaBroker(
        AlpacaOptions(
            base_url=keys.base_url,
            data_url=keys.data_url,
            key_id=keys.key_id,
            secret=keys.secret,
            instance=instance,
            connections_max=CONNECTIONS_MAX,
        )
    )
    feed = AlpacaFeeds(
        AlpacaFeedOptions(
            stream_url=keys.data_stream_url,
            data_url=keys.data_url,
            key_id=keys.key_id,
            secret=keys.secret,
            real_time=keys.real_time,
        )
    )
    return broker, feed
