"""What an HTTP handler is given and what it gives back, and the limits around both."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Struct

_REASONS = {int(status): status.phrase for status in HTTPStatus}
_BODILESS = frozenset({204, 304})
QUERY_FIELDS_MAX = 200


class RequestMalformed(ValueError):
    """The request cannot be understood; the message says why."""


class Link(Protocol):
    """The connection that a request came over."""

    @property
    def is_open(self) -> bool:
        """Whether an answer could still be written: False once its closing was noticed."""

    def drain(self) -> None:
        """Answer what has arrived, take nothing more, close. Idempotent."""


class Request(Struct, frozen=True, kw_only=True):
    """One complete request. Header names are lower-case; repeated headers are joined by commas.

    `path` is percent-decoded and without the query; `target` is the request target as it came.
    Of a repeated query field the last wins. `link` is None for a request that nobody sent.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: str
    target: str
    link: Link | None = None


class Response(Struct, frozen=True):
    """One answer.

    `delivered` is called once: with True when the bytes were handed to the transport of a
    connection that was still open, with False when the connection was gone by then.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delivered: Callable[[bool], None] | None = None


def error_response(status: int, message: str) -> Response:
    """An error in the shape every Alpaca client parses: `{"code":..., "message":...}`."""
    body = msgspec.json.encode({"code": status * 100_000 + 10_000, "message": message})
    return Response(status, body)


class HttpLimits(Struct, frozen=True, kw_only=True):
    """What one server accepts. Times are in seconds; sizes in bytes.

    `late` is answered when a handler takes longer than `answer_s_max`; the handler is cancelled.
    """

    connections_max: int = 1024
    header_bytes_max: int = 16_384
    header_fields_max: int = 100
    body_bytes_max: int = 1 << 20
    requests_queued_max: int = 64
    idle_s_max: float = 75.0
    receive_s_max: float = 10.0
    answer_s_max: float = 30.0
    write_stall_s_max: float = 20.0
    linger_s_max: float = 1.0
    drain_s_max: float = 5.0
    late: Response = error_response(503, "the request was not answered in time")


def request_of(
    *,
    method: bytes,
    target: bytes,
    fields: list[tuple[bytes, bytes]],
    body: bytes,
    peer: str,
    link: Link | None = None,
) -> Request:
    """The request of raw parts; raises `RequestMalformed`."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name = raw_name.lower().decode("latin-1")
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    text = target.decode("latin-1")
    path, query = _path_and_query(text)
    return Request(
        method=method.decode("latin-1"),
        path=path,
        query=query,
        headers=headers,
        body=body,
        peer=peer,
        target=text,
        link=link,
    )


def _path_and_query(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request target, also of the absolute form that proxies send."""
    try:
        if not target.startswith("/"):
            parts = urlsplit(target)
            path, query = parts.path or "/", parts.query
        else:
            path, _, query = target.partition("#")[0].partition("?")
        if "%" in path:
            path = unquote(path, errors="strict")
        if not query:
            return path, {}
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX
        )
    except ValueError as wrong:
        raise RequestMalformed(f"the request target cannot be understood: {wrong}") from wrong
    return path, dict(pairs)


def response_bytes(response: Response, *, close: bool) -> bytes:
    """The bytes of an answer. Raises `ValueError` when it would break the framing."""
    status = response.status
    head = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n"]
    if status in _BODILESS:
        if response.body:
            raise ValueError(f"an answer {status} cannot have a body")
    else:
        head.append(
            f"content-type: {response.content_type}\r\ncontent-length: {len(response.body)}\r\n"
        )
    for name, value in response.headers:
        if "\r" in value or "\n" in value or "\r" in name or "\n" in name:
            raise ValueError(f"header {name!r} holds a line break")
        head.append(f"{name}: {value}\r\n")
    if close:
        head.append("connection: close\r\n")
    head.append("\r\n")
    return "".join(head).encode("latin-1") + response.body
