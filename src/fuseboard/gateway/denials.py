"""How a refusal is said, so that every client library takes it as final.

alpaca-py and the legacy client send again on 429 and 504 whatever the method; ccxt takes a 403
whose words it does not know, and every 503, for a network error that bots retry. So a denial of an
order is 403 with the words ccxt maps to PermissionDenied, or 422, and never one of those.
"""

from fuseboard.vocabulary.effects import AnswerDenied
from fuseboard.vocabulary.reasons import SENTENCES, Reason
from fuseboard.wire.alpaca_errors import (
    CLIENT_ORDER_ID_MESSAGE,
    CLIENT_ORDER_ID_TAKEN,
    FORBIDDEN,
    NOT_FOUND,
    RISK_PHRASE,
    UNAUTHORIZED,
    UNPROCESSABLE,
    error_answer,
)
from fuseboard.wire.alpaca_values import json_bytes
from fuseboard.wire.http_messages import Response

UNAVAILABLE = 50_310_000
URI_TOO_LONG = 41_410_000

# 401 is about the gateway's own key, not the caller's; the others make clients send again.
_NOT_PASSED_ON = frozenset({401, 408, 425, 429})
_UNPROCESSABLE_REASONS = frozenset(
    {
        Reason.MALFORMED,
        Reason.NUMBER_REFUSED,
        Reason.UNSUPPORTED,
        Reason.SYMBOL_UNKNOWN,
        Reason.ORDER_NOT_REPLACEABLE,
    }
)


def json_response(body: object, status: int = 200) -> Response:
    """Any answer with a body."""
    return Response(status, json_bytes(body))


def unauthorized() -> Response:
    """The key pair is missing or is not one of ours."""
    return error_answer(401, UNAUTHORIZED, "unauthorized", reason=Reason.KEY_UNKNOWN.value)


def not_found(message: str) -> Response:
    """There is no such thing, or it is another strategy's."""
    return error_answer(404, NOT_FOUND, message)


def unprocessable(message: str, reason: Reason = Reason.MALFORMED) -> Response:
    """The request was understood as HTTP and cannot be carried out as it is."""
    return error_answer(422, UNPROCESSABLE, message, reason=reason.value)


def denied_here(reason: Reason, detail: str = "") -> Response:
    """A refusal of the door itself, in the shape of the kernel's."""
    return denied(AnswerDenied(request=0, strategy="", reason=reason, message=detail))


def denied(answer: AnswerDenied) -> Response:
    """A denial by us, or the broker's own rejection with its own status."""
    if answer.http_status:
        return _rejected_by_broker(answer)
    sentence = SENTENCES[answer.reason]
    detail = f": {answer.message}" if answer.message not in {"", sentence} else ""
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
        return error_answer(
            422, CLIENT_ORDER_ID_TAKEN, f"{CLIENT_ORDER_ID_MESSAGE}: {told}", **more
        )
    if answer.reason is Reason.ORDER_UNKNOWN:
        return error_answer(404, NOT_FOUND, f"order not found: {told}", **more)
    if answer.reason in _UNPROCESSABLE_REASONS:
        return error_answer(422, UNPROCESSABLE, told, **more)
    return error_answer(403, FORBIDDEN, f"{RISK_PHRASE}: {told}", **more)


def _rejected_by_broker(answer: AnswerDenied) -> Response:
    """The broker's status where it is final to every client, else 403; its words first."""
    status = answer.http_status
    if not 400 <= status < 500 or status in _NOT_PASSED_ON:
        status = 403
    message = answer.message or SENTENCES[Reason.BROKER_REJECTED]
    if status == 403 and RISK_PHRASE not in message:
        message = f"{message} ({RISK_PHRASE}: the broker rejected it)"
    code = answer.broker_code or status * 100_000 + 10_000
    more = {"reason": answer.reason.value, "checks": answer.checks}
    return error_answer(status, code, message, **more)
