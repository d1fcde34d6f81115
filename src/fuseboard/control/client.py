"""The command line's way to a running gateway: HTTP on its Unix socket."""

import http.client
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from fuseboard.control.asked import Asked, OperatorAnswer, Settled
from fuseboard.control.override_asked import OverrideAsked, VerifyAsked
from fuseboard.control.socket_path import addressable
from fuseboard.control.status import Status

TIMEOUT_S: Final = 10.0
HALT_LATE_S: Final = 2.0
"""How long a halt waits for the gateway's answer before the register is latched meanwhile."""
UNAVAILABLE: Final = 503


class GatewayUnreachable(Exception):
    """No gateway answers on the socket, or not as this release does; says what to do."""


class GatewayBusy(GatewayUnreachable):
    """The gateway answers that it cannot carry this out now, or not for certain; says why."""


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with addressable(self._path) as address:
            self.sock.connect(str(address))


class OperatorClient:
    """One operator's requests to one gateway."""

    def __init__(self, socket_file: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._socket_file = socket_file
        self._timeout_s = timeout_s

    def status(self, *, with_orders: bool = True) -> Status:
        """The node's status; raises `GatewayUnreachable`."""
        path = "/v1/status?orders=all" if with_orders else "/v1/status"
        status, body = self._request("GET", path, b"")
        try:
            return msgspec.json.decode(body, type=Status)
        except msgspec.MsgspecError as error:
            raise _strange(status, body) from error

    def act(self, what: str, asked: Asked | OverrideAsked | VerifyAsked) -> OperatorAnswer:
        """What operators may do; the answer, also when it is a refusal.

        Raises `GatewayUnreachable`.
        """
        return self._act(what, asked)[1]

    def halt(self, asked: Asked, late: Callable[[], None]) -> OperatorAnswer:
        """Halt; `late` is called once where `HALT_LATE_S` brought no answer, which is awaited on.

        Raises `GatewayUnreachable`, and `GatewayBusy`, which is one.
        """
        status, answer = self._act("halt", asked, late)
        if status == UNAVAILABLE:
            raise GatewayBusy(answer.message)
        return answer

    def _act(
        self,
        what: str,
        asked: Asked | OverrideAsked | VerifyAsked,
        late: Callable[[], None] | None = None,
    ) -> tuple[int, OperatorAnswer]:
        status, body = self._request("POST", f"/v1/{what}", msgspec.json.encode(asked), late)
        try:
            return status, msgspec.json.decode(body, type=OperatorAnswer)
        except msgspec.MsgspecError as error:
            raise _strange(status, body) from error

    def settled(self, scope: str) -> Settled:
        """Which orders of a halted scope are in doubt, once the others are answered.

        Raises `GatewayUnreachable`.
        """
        status, body = self._request("GET", f"/v1/settled?scope={quote(scope)}", b"")
        try:
            return msgspec.json.decode(body, type=Settled)
        except msgspec.MsgspecError as error:
            raise _strange(status, body) from error

    def _request(
        self, method: str, path: str, body: bytes, late: Callable[[], None] | None = None
    ) -> tuple[int, bytes]:
        connection = _UnixConnection(self._socket_file, self._timeout_s)
        try:
            if late is not None:  # a hung gateway with a full backlog does not even let in
                connection.timeout = HALT_LATE_S
            connection.request(method, path, body)
            if late is not None:
                connection.sock.settimeout(self._timeout_s)
                if not select.select([connection.sock], [], [], HALT_LATE_S)[0]:
                    late()
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise GatewayUnreachable(
                f"no gateway answers on {self._socket_file} ({why}): is `fuseboard run` running?"
            ) from error
        finally:
            connection.close()


def _strange(status: int, body: bytes) -> GatewayUnreachable:
    return GatewayUnreachable(
        f"the gateway answered {status} {body[:200]!r}, which this release does not understand:"
        " is it of another release?"
    )
