"""The operator API: HTTP with JSON on a Unix socket in the state directory, mode 0600.

Processes of the supervised strategy are refused and paged (`peers.py`).

Whoever may write the socket may halt; whoever halts or resets gives a name, which goes into the
journal with the unix user that the system tells, or with the key's id. Reads come from the board,
acts go through the intake and are answered when durable.

- `GET /v1/status`: the board; `?orders=all` adds the working orders.
- `POST /v1/override`, `/v1/override-verify`: bodies as in `override_asked.py`.
- `GET /v1/settled?scope=SCOPE`: asked after a halt, it is answered once every request that had
  started is answered, or after 2 s, with the orders that are in doubt.
- `POST /v1/halt`, `/v1/reset`, `/v1/cash`, `/v1/dividend`, `/v1/measure`, `/v1/policy`: bodies as
  in `asked.py`.
  200 accepted, 409 refused, 422 not understood, 503 not taken or not known to be durable.
"""

import asyncio
import itertools
import math
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from fuseboard.control.asked import (
    AskedRefused,
    CashAsked,
    DividendAsked,
    HaltAsked,
    MeasureAsked,
    OperatorAnswer,
    PolicyAsked,
    ResetAsked,
    Settled,
    cash_of,
    checked_scope,
    dividend_of,
    halt_of,
    measure_of,
    policy_of,
    reset_of,
)
from fuseboard.control.board import Board
from fuseboard.control.control_door import ControlDoor
from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.override_asked import (
    OverrideAsked,
    VerifyAsked,
    override_of,
    verification_of,
)
from fuseboard.control.peers import process_of, refusal, user_of
from fuseboard.control.socket_path import addressable
from fuseboard.control.status import Status, status_of
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.effects import AnswerOperator, Effect
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, is_tag_scope
from fuseboard.vocabulary.inputs import Input, PolicyAdopted
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    DividendSaid,
    OperatorHaltRequested,
    OperatorResetRequested,
    OverrideRequested,
    OverrideVerified,
)
from fuseboard.wire.http_messages import HttpLimits, Request, Response
from fuseboard.wire.http_server import HttpServer

ANSWER_WAIT_S: Final = 5.0
WAITING_MAX: Final = 64
HALTS_WAITING_MAX: Final = 64
"""Halts that may wait beyond those: who asks for other things must not keep one out."""
PAGED_EVERY_S: Final = 60.0
POLICY_BYTES_MAX: Final = 2_000_000
"""A policy with a sector for each of its ten thousand symbols is far smaller."""
LIMITS: Final = HttpLimits(
    connections_max=256, body_bytes_max=POLICY_BYTES_MAX, requests_queued_max=4
)
Asked = TypeVar(
    "Asked",
    HaltAsked,
    ResetAsked,
    CashAsked,
    DividendAsked,
    MeasureAsked,
    PolicyAsked,
    OverrideAsked,
    VerifyAsked,
)


PERSONAL: Final = (
    CashMoved,
    DividendSaid,
    OperatorHaltRequested,
    OperatorResetRequested,
    OverrideRequested,
    OverrideVerified,
    PolicyAdopted,
)
"""Inputs that tell by what the person who gave them is known."""


class Door(Protocol):
    """The intake."""

    def offer(self, fact: Input) -> bool:
        """Take a fact; False when it was refused."""


class Known(Protocol):
    """What the kernel knows and no view is told."""

    def compared_wall_ns(self) -> int:
        """When the books were last compared with the broker's; 0 when never."""

    def halt_epoch(self) -> int:
        """The number of the newest halt, of whatever scope."""


class OperatorApi:
    """The operators' door of one running gateway."""

    def __init__(
        self,
        *,
        intake: Door,
        board: Board,
        meter: MeteredKernel,
        about: Callable[[], dict[str, str]],
        watermark: Callable[[], int],
        settled: Callable[[str], Awaitable[tuple[str, ...]]],
        waited: Callable[[], int] = lambda: 0,
        known: Known | None = None,
        keeper: Callable[[], int | None] = lambda: None,
        halt_file: Callable[[], str] = lambda: "",
        page: Callable[[str], None] = lambda _text: None,
        keys: OperatorKeys | None = None,
        answer_wait_s: float = ANSWER_WAIT_S,
    ) -> None:
        """`waited` counts the evaluations that stood in the intake for too long; `known` is the
        kernel, for what no view tells; `keeper` is the
        process id of the supervised strategy's keeper, None when none runs; `halt_file` is the path
        of the file HALT while it is there.
        """
        self._intake = intake
        self._board = board
        self._meter = meter
        self._about = about
        self._watermark = watermark
        self._waited = waited
        self._known = known
        self._settled = settled
        self._keeper = keeper
        self._halt_file = halt_file
        self._page = page
        self._paged_at_s = -math.inf
        self._answer_wait_s = answer_wait_s
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[OperatorAnswer]] = {}
        self._server = HttpServer(self._handle, limits=LIMITS)
        self._door = None if keys is None else ControlDoor(keys=keys, api=self, offer=intake.offer)

    def bind(self, port: int | None) -> None:
        """Take the port for who has a key, if one is wanted. Raises `OSError`."""
        if self._door is not None and port is not None:
            self._door.bind(port)

    async def start(
        self, socket: Path, port: int | None = None, *, strategies_port: int | None = None
    ) -> int | None:
        """Listen on the socket, for its owner only; with a port also for who has a key.

        `strategies_port` is told to who comes there without one.
        """
        mask = os.umask(0o177)
        try:
            with addressable(socket) as address:
                await self._server.start_unix(address)
        finally:
            os.umask(mask)
        if self._door is None or port is None:
            return None
        return await self._door.start(port, strategies_port=strategies_port)

    async def stop(self) -> None:
        """Stop listening; who still waits is told that nothing more will be answered here."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_Stopping())
        if self._door is not None:
            await self._door.stop()
        await self._server.stop()

    def apply(self, effect: Effect) -> None:
        """Answers to operators, durable."""
        if isinstance(effect, AnswerOperator):
            future = self._waiting.pop(effect.request, None)
            if future is not None and not future.done():
                answer = OperatorAnswer(
                    accepted=effect.accepted, message=effect.message, note=effect.note
                )
                future.set_result(answer)

    def status(self, *, with_orders: bool) -> Status:
        """The board as one answer."""
        return status_of(
            self._board,
            self._meter.measured(waited=self._waited()),
            about=self._about(),
            durable_sequence=self._watermark(),
            with_orders=with_orders,
            halt_file=self._halt_file(),
            compared_wall_ns=0 if self._known is None else self._known.compared_wall_ns(),
            halt_epoch=None if self._known is None else self._known.halt_epoch(),
        )

    async def _handle(self, request: Request) -> Response:
        why = refusal(process_of(request.peer), self._keeper())
        if why:
            return self._kept_out(request, why)
        return await self.answer(request, user_of(request.peer))

    async def answer(self, request: Request, via: str) -> Response:
        """The answer to a request whose sender may make it; `via` as in `operator_inputs`."""
        match request.method, request.path:
            case "GET", "/v1/status":
                return _json(self.status(with_orders=request.query.get("orders") == "all"))
            case "GET", "/v1/settled":
                return await self._settle(request.query.get("scope", ACCOUNT_SCOPE))
            case "POST", "/v1/halt":
                return await self._act(request, via, HaltAsked, halt_of)
            case "POST", "/v1/reset":
                return await self._act(request, via, ResetAsked, reset_of)
            case "POST", "/v1/cash":
                return await self._act(request, via, CashAsked, cash_of)
            case "POST", "/v1/dividend":
                return await self._act(request, via, DividendAsked, dividend_of)
            case "POST", "/v1/measure":
                return await self._act(request, via, MeasureAsked, measure_of)
            case "POST", "/v1/policy":
                return await self._act(request, via, PolicyAsked, policy_of)
            case "POST", "/v1/override":
                return await self._act(request, via, OverrideAsked, override_of)
            case "POST", "/v1/override-verify":
                return await self._act(request, via, VerifyAsked, verification_of)
            case _:
                return _refused(404, f"{request.method} {request.path} is not part of this API")

    def _kept_out(self, request: Request, why: str) -> Response:
        """Refuse a strategy's process, and page; the log is not filled by one that goes on."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._paged_at_s >= PAGED_EVERY_S:
            self._paged_at_s = now_s
            self._page(f"{request.method} {request.path} at the operators' socket: {why}")
        return _refused(403, f"the operators' socket is for people: {why}")

    async def _settle(self, scope: str) -> Response:
        try:
            scope = checked_scope(scope)
        except AskedRefused as error:
            return _refused(422, str(error))
        wide = ACCOUNT_SCOPE if is_tag_scope(scope) else scope
        unanswered = await self._settled(wide)
        known = self._board.in_doubt(wide)
        return _json(Settled(scope=scope, in_doubt=tuple(dict.fromkeys([*unanswered, *known]))))

    async def _act(
        self,
        request: Request,
        via: str,
        shape: type[Asked],
        fact_of: Callable[[Asked, int], Input],
    ) -> Response:
        waiting_max = WAITING_MAX + HALTS_WAITING_MAX if shape is HaltAsked else WAITING_MAX
        if len(self._waiting) >= waiting_max:
            return _refused(503, "too many operator requests wait for their answer: try again")
        number = next(self._numbers)
        try:
            fact = fact_of(msgspec.json.decode(request.body, type=shape), number)
        except (msgspec.MsgspecError, AskedRefused, UnicodeDecodeError) as error:
            return _refused(422, str(error))
        if isinstance(fact, PERSONAL):
            fact = msgspec.structs.replace(fact, via=via)
        if isinstance(fact, OperatorResetRequested):  # looked for now: the watch may be behind
            fact = msgspec.structs.replace(fact, halt_file=self._halt_file())
        if not self._intake.offer(fact):
            return _refused(503, "the gateway takes nothing more: see its log")
        future: asyncio.Future[OperatorAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            answer = await asyncio.wait_for(future, self._answer_wait_s)
        except TimeoutError:
            return _refused(
                503,
                f"taken in, but not durable within {self._answer_wait_s:g} s:"
                " see `fuseboard status`",
            )
        except _Stopping:
            return _refused(
                503, "the gateway stopped before its answer was durable: see `fuseboard status`"
            )
        finally:
            self._waiting.pop(number, None)
        return _json(answer, 200 if answer.accepted else 409)


class _Stopping(Exception):
    """The gateway stops while somebody waits."""


def _json(body: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(body))


def _refused(status: int, message: str) -> Response:
    return _json(OperatorAnswer(accepted=False, message=message), status)
