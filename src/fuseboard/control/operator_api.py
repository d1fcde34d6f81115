"""The operator API: HTTP with JSON on a Unix socket in the state directory, mode 0600.

Whoever may write the socket may halt; whoever resets gives a name and a reason, and both go into
the journal. Reads come from the board, acts go through the intake and are answered when durable.
"""

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from fuseboard.control.board import Board
from fuseboard.control.status import Status, status_of
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.effects import AnswerOperator, Effect
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import (
    CashMoved,
    Input,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from fuseboard.vocabulary.money import NumberRefused, nanos_from_text
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.wire.http_messages import Request, Response
from fuseboard.wire.http_server import HttpServer

ANSWER_WAIT_S: Final = 5.0
WAITING_MAX: Final = 64
SCOPE_CHARACTERS_MAX: Final = 100
Asked = TypeVar("Asked")


class HaltAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/halt`."""

    operator: str
    reason: str = ""
    scope: str = ACCOUNT_SCOPE
    level: str = "halt"


class ResetAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/reset`."""

    operator: str = ""
    reason: str = ""
    scope: str = ACCOUNT_SCOPE
    rebase: bool = False


class CashAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/cash`: a deposit (positive) or a withdrawal, in account currency."""

    operator: str
    amount: str
    why: str


class OperatorAnswer(Struct, frozen=True, kw_only=True):
    """What an operator is told."""

    accepted: bool
    message: str


class Door(Protocol):
    """The intake."""

    def offer(self, fact: Input) -> bool:
        """Take a fact; False when it was refused."""


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
    ) -> None:
        self._intake = intake
        self._board = board
        self._meter = meter
        self._about = about
        self._watermark = watermark
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[OperatorAnswer]] = {}
        self._server = HttpServer(self._handle)

    async def start(self, socket: Path) -> None:
        """Listen on the socket, for its owner only."""
        mask = os.umask(0o177)
        try:
            await self._server.start_unix(socket)
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    def apply(self, effect: Effect) -> None:
        """Answers to operators, durable."""
        if isinstance(effect, AnswerOperator):
            future = self._waiting.pop(effect.request, None)
            if future is not None and not future.done():
                answer = OperatorAnswer(accepted=effect.accepted, message=effect.message)
                future.set_result(answer)

    def status(self) -> Status:
        """The whole board as one answer."""
        return status_of(
            self._board,
            self._meter.measured(),
            about=self._about(),
            durable_sequence=self._watermark(),
        )

    async def _handle(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/v1/status":
                return _json(self.status())
            case "POST", "/v1/halt":
                return await self._act(request, HaltAsked, self._halt)
            case "POST", "/v1/reset":
                return await self._act(request, ResetAsked, self._reset)
            case "POST", "/v1/cash":
                return await self._act(request, CashAsked, self._cash)
            case _:
                return _refused(404, f"{request.method} {request.path} is not part of this API")

    async def _act(
        self, request: Request, shape: type[Asked], fact_of: Callable[[Asked, int], Input]
    ) -> Response:
        if len(self._waiting) >= WAITING_MAX:
            return _refused(409, "too many operator requests wait for their answer: try again")
        number = next(self._numbers)
        try:
            fact = fact_of(msgspec.json.decode(request.body, type=shape), number)
        except (msgspec.MsgspecError, ValueError) as error:
            return _refused(422, str(error))
        future: asyncio.Future[OperatorAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._intake.offer(fact)
        try:
            answer = await asyncio.wait_for(future, ANSWER_WAIT_S)
        except TimeoutError:
            return _refused(
                504, f"taken in, but not durable within {ANSWER_WAIT_S:g} s: see `fuseboard status`"
            )
        finally:
            self._waiting.pop(number, None)
        return _json(answer, 200 if answer.accepted else 409)

    def _halt(self, asked: HaltAsked, number: int) -> Input:
        levels = {level.name.lower(): level for level in HaltLevel}
        if asked.level not in levels:
            raise ValueError(f"level {asked.level!r} is none of {', '.join(levels)}")
        return OperatorHaltRequested(
            request=number,
            operator=asked.operator,
            reason=asked.reason,
            scope=checked_scope(asked.scope),
            level=levels[asked.level],
        )

    def _reset(self, asked: ResetAsked, number: int) -> Input:
        return OperatorResetRequested(
            request=number,
            operator=asked.operator,
            reason=asked.reason,
            scope=checked_scope(asked.scope),
            rebase=asked.rebase,
        )

    def _cash(self, asked: CashAsked, number: int) -> Input:
        if not asked.operator.strip() or not asked.why.strip():
            raise ValueError("a cash movement needs the operator's name and why")
        try:
            amount_nanos = nanos_from_text(asked.amount)
        except NumberRefused as refusal:
            raise ValueError(str(refusal)) from refusal
        why = f"{asked.operator}: {asked.why}"
        return CashMoved(request=number, amount_nanos=amount_nanos, why=why)


def checked_scope(scope: str) -> str:
    """The scope if it is one, else `ValueError`."""
    kind, _, name = scope.partition(":")
    known = scope == ACCOUNT_SCOPE or (kind in {"strategy", "symbol"} and name)
    if not known or len(scope) > SCOPE_CHARACTERS_MAX or not scope.isprintable():
        raise ValueError(f"scope {scope[:40]!r} is none of account, strategy:NAME, symbol:NAME")
    return scope


def _json(body: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(body))


def _refused(status: int, message: str) -> Response:
    return _json(OperatorAnswer(accepted=False, message=message), status)
