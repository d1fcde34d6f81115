"""How a refusal is said, so that every client library takes it as final.

alpaca-py and the legacy client send again on 429 and 504 whatever the method; ccxt takes a 403
whose words it does not know, and every 503, for a network error that bots retry. So a denial of an
order is 403 with the words ccxt maps to PermissionDenied, or 422, and never one of those.
"""

from msgspec import json

from fuseboard.vocabulary.effects import AnswerDenied
from fuseboard.vocabulary.reasons import SENTENCES, Reason
from fuseboard.wire.http_messages import Response

FINAL_WORDS = "orders are rejected by user request"

BAD_REQUEST = 40010000
ID_NOT_UNIQUE = 40010001
UNAUTHORIZED = 40110000
DENIED = 40310000
NOT_FOUND = 40410000
UNPROCESSABLE = 42210000
RATE_LIMITED = 42910000
UNAVAILABLE = 50310000

_RESENT_STATUSES = frozenset({408, 425, 429})
_UNPROCESSABLE_REASONS = frozenset({Reason.MALFORMED, Reason.NUMBER_REFUSED, Reason.UNSUPPORTED})


def json_response(body: object, status: int = 200) -> Response:
    """Any answer with a body."""
    return Response(status, json.encode(body))


def error(status: int, code: int, message: str, **more: object) -> Response:
    """An error in Alpaca's shape."""
    return json_response({"code": code, "message": message, **more}, status)


def unauthorized() -> Response:
    """The key pair is missing or is not one of ours."""
    return error(401, UNAUTHORIZED, "unauthorized", reason=Reason.KEY_UNKNOWN.value)


def not_found(message: str) -> Response:
    """There is no such thing, or it is another strategy's."""
    return error(404, NOT_FOUND, message)


def unprocessable(message: str, reason: Reason = Reason.MALFORMED) -> Response:
    """The request was understood as HTTP and cannot be carried out as it is."""
    return error(422, UNPROCESSABLE, message, reason=reason.value)


def denied_here(reason: Reason, detail: str = "") -> Response:
    """A refusal of the door itself, in the shape of the kernel's."""
    return denied(AnswerDenied(request=0, strategy="", reason=reason, message=detail))


def denied(answer: AnswerDenied) -> Response:
    """A denial by us, or the broker's own rejection with its own status."""
    if answer.http_status:
        return _rejected_by_broker(answer)
    sentence = SENTENCES[answer.reason]
    detail = f": {answer.message}" if answer.message else ""
    numbers = f" observed {answer.observed}" if answer.observed else ""
    numbers += f" limit {answer.limit}" if answer.limit else ""
    told = f"fuseboard: {sentence} [{answer.reason.value}]{numbers}{detail}"
    more = {
        "reason": answer.reason.value,
        "checks": answer.checks,
        "observed": answer.observed,
        "limit": answer.limit,
    }
    if answer.reason is Reason.CLIENT_ORDER_ID_REUSED:
        return error(422, ID_NOT_UNIQUE, f"client_order_id must be unique: {told}", **more)
    if answer.reason in _UNPROCESSABLE_REASONS:
        return error(422, UNPROCESSABLE, told, **more)
    return error(403, DENIED, f"{FINAL_WORDS}: {told}", **more)


def _rejected_by_broker(answer: AnswerDenied) -> Response:
    """The broker's status where it is final to every client, else 403; its words first."""
    status = answer.http_status
    if not 400 <= status < 500 or status in _RESENT_STATUSES:
        status = 403
    message = answer.message or SENTENCES[Reason.BROKER_REJECTED]
    if status == 403 and FINAL_WORDS not in message:
        message = f"{message} ({FINAL_WORDS}: the broker rejected it)"
    code = answer.broker_code or status * 100_000 + 10_000
    more = {"reason": answer.reason.value, "checks": answer.checks}
    return error(status, code, message, **more)
