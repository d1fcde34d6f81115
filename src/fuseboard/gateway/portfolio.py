"""`GET /v2/account/portfolio/history`: the equity of the whole account over time.

The broker's own figures are passed on where it has them. Where it has none, or cannot be asked
now, the gateway answers from what it saw itself: the last equity of each minute since it was
started, and says so in the field `fuseboard`. A minute in which nothing was seen is left out.
"""

import time
from collections import deque
from collections.abc import Callable

from fuseboard.gateway.denials import json_response, unprocessable
from fuseboard.gateway.reads import Reads
from fuseboard.gateway.views import Views
from fuseboard.wire.alpaca_portfolio import HistoryRefused, history_asked, history_object
from fuseboard.wire.http_messages import Request, Response

PATH = "/v2/account/portfolio/history"
MINUTE_NS = 60_000_000_000
# With these the broker has no figures, or there was no asking it: ours are the second best.
_NO_FIGURES = frozenset({403, 404, 429})


class EquityMinutes:
    """The last equity of each of the last `minutes_max` minutes in which one was seen."""

    def __init__(self, *, minutes_max: int, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns
        self._marks: deque[tuple[int, int]] = deque(maxlen=minutes_max)

    def see(self, equity_nanos: int) -> None:
        """The account's equity as it now is. A clock that went back writes into the last minute."""
        now_ns = self._wall_ns()
        minute_ns = now_ns - now_ns % MINUTE_NS
        if self._marks and minute_ns <= self._marks[-1][0]:
            minute_ns = self._marks.pop()[0]
        self._marks.append((minute_ns, equity_nanos))

    def marks(self) -> list[tuple[int, int]]:
        """(Begin of the minute in Unix ns, equity in nano-units), by time."""
        return list(self._marks)


class Portfolio:
    """Answers portfolio histories."""

    def __init__(
        self,
        *,
        reads: Reads,
        views: Views,
        minutes_max: int,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._reads = reads
        self._views = views
        self._wall_ns = wall_ns
        self._minutes = EquityMinutes(minutes_max=minutes_max, wall_ns=wall_ns)

    def see(self) -> None:
        """The views have just taken in an equity of the account."""
        marked, read = self._views.equity, self._views.account
        if marked is not None:
            self._minutes.see(marked.equity_nanos)
        elif read is not None:
            self._minutes.see(read.equity_nanos)

    async def history(self, request: Request) -> Response:
        """The broker's answer, or our own where it has none."""
        try:
            asked = history_asked(request.query, self._wall_ns())
        except HistoryRefused as refused:
            return unprocessable(str(refused))
        answer = await self._reads.read(PATH, request.query)
        if answer is not None and answer.status not in _NO_FIGURES and answer.status < 500:
            return answer
        shown = history_object(self._minutes.marks(), asked)
        return json_response(shown | {"fuseboard": {"source": "gateway"}})
