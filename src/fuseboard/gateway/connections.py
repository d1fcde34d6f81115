"""Which HTTP connections a strategy uses, so that a kill can end them."""

from weakref import WeakSet

from fuseboard.wire.http_messages import Link


class Connections:
    """The open connections of each strategy: those over which it was authenticated.

    As many as the server has at most; one that is gone is forgotten by itself.
    """

    def __init__(self) -> None:
        self._links: dict[str, WeakSet[Link]] = {}

    def note(self, strategy: str, link: Link | None) -> None:
        """The strategy has authenticated itself over this connection."""
        if link is None:
            return
        links = self._links.get(strategy)
        if links is None:
            links = self._links[strategy] = WeakSet()
        links.add(link)

    def disconnect(self, strategy: str) -> None:
        """End every connection of the strategy, each after the answer that is in progress."""
        for link in list(self._links.pop(strategy, ())):
            link.drain()

    def strategies(self) -> list[str]:
        """Every strategy that was ever seen and not disconnected since."""
        return list(self._links)
