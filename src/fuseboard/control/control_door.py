"""The control API over HTTP on loopback: the operators' API for who has a key, by role.

`Authorization: Bearer ID.SECRET`, a key of `fuseboard operators new`. Who acts is whose key it is:
a body may leave `operator` out, and may not name somebody else.

Every use is given to the journal before it is answered, refused ones too. An act is answered when
it is durable, and its use with it. Reads and refusals wait for no disk: one that hangs must not
keep the status from people, who see what is durable, and a refusal lets nothing through. So the
records of the last of them may be lost with a journal that fails: the gateway stops itself then.

How many uses a second are taken is bounded for each key, and for all that have none together: who
floods keeps out himself. What is beyond is counted in the next record, and halts always pass.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from fuseboard.control.asked import FREEZE, OperatorAnswer
from fuseboard.control.operator_keys import ROLES, OperatorKeys, OperatorLine, Role
from fuseboard.vocabulary.inputs import Input
from fuseboard.vocabulary.operator_inputs import ControlUsed
from fuseboard.vocabulary.people import KEY_VIA
from fuseboard.wire.http_messages import HttpLimits, Request, Response
from fuseboard.wire.http_server import HttpServer

LOOPBACK: Final = "127.0.0.1"
USES_A_SECOND_MAX: Final = 10
"""Of one key, and of all who have none."""
SHOWN_CHARACTERS_MAX: Final = 100
LIMITS: Final = HttpLimits(connections_max=64, body_bytes_max=16_384, requests_queued_max=4)
ROLE_FOR: Final = {
    ("GET", "/v1/status"): Role.VIEWER,
    ("GET", "/v1/settled"): Role.VIEWER,
    ("POST", "/v1/halt"): Role.OPERATOR,
    ("POST", "/v1/measure"): Role.OPERATOR,
    ("POST", "/v1/override"): Role.OPERATOR,
    ("POST", "/v1/override-verify"): Role.ADMIN,
    ("POST", "/v1/reset"): Role.ADMIN,
    ("POST", "/v1/cash"): Role.ADMIN,
    ("POST", "/v1/dividend"): Role.ADMIN,
}
"""The least role for each route. What is not here is not part of this API."""
NAMELESS: Final = ("/v1/measure",)
"""Acts whose body has no name."""
HALT: Final = ("POST", "/v1/halt")


class Answering(Protocol):
    """The operators' API behind the door."""

    async def answer(self, request: Request, via: str) -> Response:
        """The answer to a request whose sender may make it; `via` says by which key."""


class ControlDoor:
    """Authenticates, authorizes, journals and passes on."""

    def __init__(
        self, *, keys: OperatorKeys, api: Answering, offer: Callable[[Input], bool]
    ) -> None:
        self._keys = keys
        self._api = api
        self._offer = offer
        self._second = -1
        self._uses: dict[str, int] = {}
        """In this second, by the id of a key that is known; all who have none are one."""
        self._unjournaled = 0
        self._elsewhere = "this is the operators' control API"
        self._server = HttpServer(self._handle, limits=LIMITS)

    def bind(self, port: int) -> None:
        """Take the port on loopback; who connects waits until `start`. Raises `OSError`."""
        self._server.bind(LOOPBACK, port)

    async def start(self, port: int, *, strategies_port: int | None = None) -> int:
        """Listen on loopback; the port really bound. Who has no key is told the strategies' one."""
        if strategies_port is not None:
            self._elsewhere += f", strategies connect to port {strategies_port}"
        return await self._server.start(LOOPBACK, port)

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        await self._server.stop()

    async def _handle(self, request: Request) -> Response:
        route = (request.method, request.path)
        holder = self._keys.holder_of(_bearer(request))
        least = Role.ADMIN if _is_freeze(request) else ROLE_FOR.get(route)
        may = holder is not None and least is not None and ROLES[holder.role] >= least
        if not self._has_room(holder) and not (may and route == HALT):
            self._unjournaled += 1
            who = f"without a key ({self._elsewhere})" if holder is None else f"by {holder.key_id}"
            return _refused(503, f"more than {USES_A_SECOND_MAX} uses a second {who}: try again")
        used = ControlUsed(
            operator="" if holder is None else holder.name,
            role="" if holder is None else holder.role,
            use=f"{request.method} {request.path}"[:SHOWN_CHARACTERS_MAX],
            granted=may,
            via="" if holder is None else f"{KEY_VIA}{holder.key_id}",
            unjournaled=self._unjournaled,
        )
        if not self._offer(used):
            return _refused(503, "the gateway takes nothing more: see its log")
        self._unjournaled = 0
        if holder is None:
            made = "make one with `fuseboard operators new`"
            return _refused(401, f"no such key: {made}; {self._elsewhere}")
        if least is None:
            return _refused(404, f"{request.method} {request.path} is not part of this API")
        if not may:
            takes = f"it takes {least.name.lower()}"
            return _refused(403, f"{holder.role} {holder.name} may not do this: {takes}")
        return await self._passed_on(request, holder)

    async def _passed_on(self, request: Request, holder: OperatorLine) -> Response:
        via = f"{KEY_VIA}{holder.key_id}"
        if request.method == "GET" or request.path in NAMELESS:
            return await self._api.answer(request, via)
        try:
            body = msgspec.json.decode(request.body, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _refused(422, str(error))
        if body.get("operator", holder.name) != holder.name:
            return _refused(403, f"the key is {holder.name}'s: nobody acts in another's name")
        named = msgspec.json.encode({**body, "operator": holder.name})
        return await self._api.answer(msgspec.structs.replace(request, body=named), via)

    def _has_room(self, holder: OperatorLine | None) -> bool:
        """Count one use; at most `KEYS_MAX` keys are known, whatever is guessed."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._uses = second, {}
        key_id = "" if holder is None else holder.key_id
        uses = self._uses[key_id] = self._uses.get(key_id, 0) + 1
        return uses <= USES_A_SECOND_MAX


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _is_freeze(request: Request) -> bool:
    """Whether a halt asks to stop the liquidations, which is no tightening."""
    if (request.method, request.path) != HALT:
        return False
    try:
        body = msgspec.json.decode(request.body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False  # it is refused for what it is
    return body.get("level") == FREEZE


def _refused(status: int, message: str) -> Response:
    answer = OperatorAnswer(accepted=False, message=message)
    return Response(status, msgspec.json.encode(answer))
