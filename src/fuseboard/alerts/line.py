"""Alerts that wait in front of one door, and which of them is tried next.

A try may hang for as long as the door keeps its connection open. So the next one does not wait for
its end: it begins beside it once that has hung for `HANGS_S`, up to `tries_at_once_max`, of which
one is kept for alerts that no try was spent on yet. A door that answers gets them one by one.
"""

import json
from collections.abc import Sequence
from itertools import count
from typing import Final

ALERTS_MAX: Final = 200
HANGS_S: Final = 1.0
"""After so long a try keeps no other waiting."""
TEXT_CHARACTERS_MAX: Final = 1_800
"""Of a text as it is sent: chat services refuse a message of two thousand characters or more."""
CUT_CHARACTERS_MAX: Final = 200
"""What is left of a text when a door has refused the whole one for good."""


class Alert:
    """One alert on its way, and how often it was tried."""

    __slots__ = ("cut", "due_s", "event_ns", "number", "rank", "said", "tries")

    def __init__(self, said: dict[str, object], *, rank: int, event_ns: int) -> None:
        self.said = said
        self.rank = rank
        self.event_ns = event_ns
        """When what it tells happened, boot time."""
        self.number = 0
        self.tries = 0
        self.due_s = 0.0
        """When it is tried again, monotonic."""
        self.cut = False

    def body(self) -> bytes:
        """As it is sent; `content` for chat services is cut sooner than the text."""
        text = _cut(str(self.said["text"]), CUT_CHARACTERS_MAX) if self.cut else self.said["text"]
        line = f"{str(self.said['severity']).upper()} {self.said['code']} {self.said['scope']}: "
        content = _cut(f"{line}{text}", TEXT_CHARACTERS_MAX)
        return json.dumps({**self.said, "text": text, "content": content}).encode()


class Line:
    """At most `ALERTS_MAX` waiting alerts and the tries under way. Its user holds a lock.

    Of what is due the most severe is tried first, of these the one that was tried least, the
    oldest of these.
    """

    def __init__(self, *, tries_at_once_max: int) -> None:
        self.tries_at_once_max = tries_at_once_max
        self._waiting: list[Alert] = []
        self._began_s: dict[int, float] = {}
        self._under_way: dict[int, Alert] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, alert: Alert) -> bool:
        """Let it wait; where there is no room the newest of the least severe goes: then False."""
        alert.number = alert.number or next(self._numbers)
        self._waiting.append(alert)
        if len(self._waiting) <= ALERTS_MAX:
            return True
        self._waiting.remove(max(self._waiting, key=lambda each: (each.rank, each.number)))
        return False

    def hurry(self) -> None:
        """All that waits is due now."""
        for alert in self._waiting:
            alert.due_s = 0.0

    def begin(self, now_s: float) -> Alert | None:
        """Whose turn it is: its try is under way until `end`; None: nobody's."""
        under_way = len(self._under_way)
        if under_way >= self.tries_at_once_max or any(
            began_s + HANGS_S > now_s for began_s in self._began_s.values()
        ):
            return None
        is_last = 0 < under_way == self.tries_at_once_max - 1
        due = [at for at in self._waiting if at.due_s <= now_s and not (is_last and at.tries)]
        alert = min(due, key=lambda at: (at.rank, at.tries, at.number), default=None)
        if alert is not None:
            self._waiting.remove(alert)
            self._under_way[alert.number], self._began_s[alert.number] = alert, now_s
        return alert

    def end(self, alert: Alert) -> None:
        """Its try is over."""
        del self._under_way[alert.number], self._began_s[alert.number]

    def rests_s(self, now_s: float) -> float | None:
        """How long after a `begin` that gave none it may be somebody's turn although nothing
        happens; None: for ever.
        """
        if not self._waiting:
            return None
        moments = [alert.due_s for alert in self._waiting]
        moments += [began_s + HANGS_S for began_s in self._began_s.values()]
        return min((at_s - now_s for at_s in moments if at_s > now_s), default=None)

    def untaken(self) -> Sequence[Alert]:
        """All that waits or is being tried."""
        return [*self._waiting, *self._under_way.values()]


def _cut(text: str, characters_max: int) -> str:
    if len(text) <= characters_max:
        return text
    return f"{text[: characters_max - 1]}…"
