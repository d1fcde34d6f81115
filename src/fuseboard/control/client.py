"""The command line's way to a running gateway: HTTP on its Unix socket."""

import http.client
import socket
from pathlib import Path
from typing import Final

import msgspec

from fuseboard.control.operator_api import OperatorAnswer
from fuseboard.control.status import Status

TIMEOUT_S: Final = 10.0


class GatewayUnreachable(Exception):
    """No gateway answers on the socket; the message says what to do."""


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


class OperatorClient:
    """One operator's requests to one gateway."""

    def __init__(self, socket_file: Path) -> None:
        self._socket_file = socket_file

    def status(self) -> Status:
        """The node's status; raises `GatewayUnreachable`."""
        status, body = self._request("GET", "/v1/status", b"")
        if status != 200:
            raise GatewayUnreachable(f"the gateway answered {status}: {body[:200]!r}")
        return msgspec.json.decode(body, type=Status)

    def act(self, what: str, asked: dict[str, object]) -> OperatorAnswer:
        """`halt`, `reset` or `cash`; the answer, also when it is a refusal."""
        _, body = self._request("POST", f"/v1/{what}", msgspec.json.encode(asked))
        return msgspec.json.decode(body, type=OperatorAnswer)

    def _request(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        connection = _UnixConnection(self._socket_file)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise GatewayUnreachable(
                f"no gateway answers on {self._socket_file} ({error}): is `fuseboard run` running?"
            ) from error
        finally:
            connection.close()
