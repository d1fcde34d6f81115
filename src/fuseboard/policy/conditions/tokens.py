"""From characters to tokens: names, words, operators and numbers with their units."""

import re
from fractions import Fraction

from msgspec import Struct

from fuseboard.policy.conditions.tree import ConditionRefused, Number
from fuseboard.policy.units import PERIODS_NS
from fuseboard.vocabulary.catalogue import Unit
from fuseboard.vocabulary.money import NANOS, NumberRefused, nanos_from_text, text_from_nanos

TOKENS_MAX = 250
SPACES = " \t\r\n"
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
OPERATORS = (*COMPARISONS, "+", "-", "*", "/", "(", ")", ",")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NUMBER = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"(?:[ \t\r\n]*(?P<percent>%)|[ \t\r\n]*(?P<money>USD)\b|(?P<period>ms|s|m|h|d)\b)?",
    re.ASCII,
)
_PERIOD_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_MEANT = {
    "=": "`==` compares",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=` to compare",
    "%": "a percent is a number and its sign, for example `5%`",
    ".": "a number begins with a digit, for example `0.5`",
    "$": "write money as `100000 USD`",
}


class Token(Struct, frozen=True):
    """One token: a number carries its value, the end has an empty text."""

    offset: int
    text: str
    number: Number | None = None

    def shown(self) -> str:
        """What stands here, for a message."""
        return f"`{self.text[:40]}`" if self.text else "the end"


def tokens_of(text: str) -> list[Token]:
    """All tokens and the end; raises `ConditionRefused`."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] in SPACES:
            at += 1
            continue
        if len(found) == TOKENS_MAX:
            raise ConditionRefused(at, f"longer than {TOKENS_MAX} words and signs: split it up")
        token, at = _token(text, at)
        found.append(token)
    found.append(Token(len(text), ""))
    return found


def _token(text: str, at: int) -> tuple[Token, int]:
    """The token that begins at an offset, and where it ends."""
    if word := _WORD.match(text, at):
        return Token(at, word[0]), word.end()
    if match := _NUMBER.match(text, at):
        return _number(text, match), match.end()
    for operator in OPERATORS:
        if text.startswith(operator, at):
            return Token(at, operator), at + len(operator)
    meant = _MEANT.get(text[at], "expected names, numbers, comparisons and `+ - * /`")
    raise ConditionRefused(at, f"{text[at]!r} has no meaning here: {meant}")


def _number(text: str, match: re.Match[str]) -> Token:
    at, end = match.span()
    if end < len(text) and (text[end] in "._" or text[end].isalnum()):
        raise ConditionRefused(
            at,
            f"`{match['number'][:40]}` runs into {text[end]!r}: expected a plain number such as"
            " `0.05`, `5%`, `100000 USD`, `500ms`, `30s`, `5m`, `2h` or `1d`",
        )
    try:
        nanos = nanos_from_text(match["number"])
    except NumberRefused as error:
        raise ConditionRefused(at, str(error)) from None
    written = text_from_nanos(nanos)
    if match["percent"]:
        value, unit, written = Fraction(nanos, 100 * NANOS), Unit.FRACTION, f"{written}%"
    elif match["money"]:
        value, unit, written = Fraction(nanos, NANOS), Unit.MONEY, f"{written} USD"
    elif period := match["period"]:
        if _PERIOD_COUNT.fullmatch(match["number"]) is None:
            example = "a duration is a whole number of at most nine digits, for example `90s`"
            raise ConditionRefused(at, f"`{match[0][:40]}`: {example}")
        value, unit = Fraction(int(match["number"]) * PERIODS_NS[period], NANOS), Unit.DURATION
        written += period
    else:
        return Token(at, match[0], Number(at, Fraction(nanos, NANOS), None, written))
    return Token(at, match[0], Number(at, value, unit, written))
