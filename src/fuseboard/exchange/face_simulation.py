"""What is not Alpaca's: /sim, for tests and demonstrations. No key is needed; loopback only.

- `POST /sim/start`: let the clock run, when it was started paused.
- `GET /sim/state`: the tape, the clock, the books, the account.
- `GET /sim/ledger?after=N`: the ledger's lines after number N, one JSON object a line.
- `GET`, `POST /sim/faults`: read or set faults (`faults.py`); what is not named stays.
- `POST /sim/cash`: pay in, or out (negative): `{"amount": "-250.50"}`.
- `POST /sim/halt`: `{"symbol": "AAPL", "reason": "LUDP"}`, or `{"level": 1}` for the whole market.
- `POST /sim/resume`: `{"symbol": "AAPL"}`, or `{}` for all that is halted.
- `POST /sim/drop-streams`: drop every connection of `trade_updates`.
"""

import msgspec
from msgspec import structs

from fuseboard.exchange.face_streams import Streams
from fuseboard.exchange.faults import Faults
from fuseboard.exchange.rules import MALFORMED, NOT_FOUND
from fuseboard.exchange.running import RunningExchange
from fuseboard.vocabulary.money import nanos_from_text, text_from_nanos
from fuseboard.wire import alpaca
from fuseboard.wire.http_server import Request, Response


class HaltAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a halt or a resumption."""

    symbol: str = ""
    reason: str = ""
    level: int = 0


class SimulationFace:
    """Answers requests under /sim and holds the faults that are switched on."""

    def __init__(self, running: RunningExchange) -> None:
        self._running = running
        self.faults = Faults()

    def answer(self, request: Request, streams: Streams) -> Response:
        """The answer to one request."""
        what = (request.method, request.path.removeprefix("/sim/"))
        if what == ("POST", "start"):
            self._running.clock.start()
            return _json(self._state())
        if what == ("GET", "state"):
            return _json(self._state())
        if what == ("GET", "ledger"):
            after = request.query.get("after", "0")
            if not after.isdecimal():
                return alpaca.error_answer(422, MALFORMED, "after is the number of an entry")
            lines = self._running.ledger_lines[int(after) :]
            body = b"".join(line + b"\n" for line in lines)
            return Response(200, body, content_type="application/x-ndjson")
        if what == ("GET", "faults"):
            return _json(structs.asdict(self.faults))
        if what == ("POST", "faults"):
            return self._set_faults(request.body)
        if what == ("POST", "cash"):
            return self._move_cash(request.body)
        if what in {("POST", "halt"), ("POST", "resume")}:
            return self._halt(request.body, resume=what[1] == "resume")
        if what == ("POST", "drop-streams"):
            return _json({"dropped": streams.drop_updates()})
        return alpaca.error_answer(404, NOT_FOUND, f"there is no {request.path}")

    def _set_faults(self, body: bytes) -> Response:
        try:
            asked = msgspec.json.decode(body, type=dict[str, int])
            known = {**structs.asdict(self.faults), **asked}
            self.faults = msgspec.convert(known, Faults).checked()
        except ValueError as wrong:
            return alpaca.error_answer(422, MALFORMED, str(wrong))
        return _json(structs.asdict(self.faults))

    def _move_cash(self, body: bytes) -> Response:
        try:
            amount = msgspec.json.decode(body, type=dict[str, str])["amount"]
            self._running.exchange.move_cash(nanos_from_text(amount))
        except (ValueError, KeyError) as wrong:
            return alpaca.error_answer(422, MALFORMED, f"no amount of cash: {wrong}")
        return _json(self._state())

    def _halt(self, body: bytes, *, resume: bool) -> Response:
        try:
            asked = msgspec.json.decode(body or b"{}", type=HaltAsked)
            if resume:
                told = self._running.resume(asked.symbol)
            else:
                told = self._running.halt(asked.symbol, reason=asked.reason, level=asked.level)
        except ValueError as wrong:
            return alpaca.error_answer(422, MALFORMED, str(wrong))
        return _json({"told": [structs.asdict(each) for each in told]})

    def _state(self) -> dict[str, object]:
        running, exchange = self._running, self._running.exchange
        view = exchange.account()
        return {
            "tape": running.tape.name,
            "describes": running.tape.describes,
            "running": running.clock.is_running,
            "tape_ended": running.tape_ended,
            "now": alpaca.rfc3339_from_ns(exchange.now_ns),
            "now_ns": exchange.now_ns,
            "ledger_lines": len(running.ledger_lines),
            "working_orders": len(exchange.open_orders()),
            "cash": text_from_nanos(view.cash_nanos),
            "equity": text_from_nanos(view.equity_nanos),
            "positions": {
                each.symbol: text_from_nanos(each.quantity_nanos) for each in exchange.positions()
            },
            "market": {
                symbol: {
                    "bid": text_from_nanos(book.bid_nanos),
                    "ask": text_from_nanos(book.ask_nanos),
                    "last": None if book.last_nanos is None else text_from_nanos(book.last_nanos),
                }
                for symbol, book in exchange.books.items()
            },
        }


def _json(value: object) -> Response:
    return Response(200, alpaca.json_bytes(value))
