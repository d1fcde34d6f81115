"""Writes the tables of docs/vocabulary.md from the code: `make docs`.

Everything between `<!-- from the code: NAME -->` and `<!-- end -->` is drawn from docstrings; the
rest of the page is written by hand and left alone.
"""

import ast
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar, get_args

from fuseboard.vocabulary import effects, inputs, orders, postures, reasons

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "vocabulary.md"
SOURCE = ROOT / "src" / "fuseboard"
Word = TypeVar("Word", bound=Enum)

POSTURES = {
    postures.Posture.OPEN: "everything that passes its checks is allowed",
    postures.Posture.REDUCED: "new risk is cut and collars are tightened",
    postures.Posture.REDUCE_ONLY: "only what provably shrinks a position is allowed",
    postures.Posture.HALTED: "no new risk; what works is cancelled; cancels always pass",
    postures.Posture.KILLED: "halted, disconnected, and people are paged",
}
HALT_LEVELS = {
    postures.HaltLevel.HALT: "stop new risk and cancel what works",
    postures.HaltLevel.FLATTEN: "halt, then close every position of the scope",
    postures.HaltLevel.KILL: "halt, disconnect and page",
    postures.HaltLevel.FREEZE: "halt, and stop plans too: nothing is closed any more",
}
ORDER_STATUSES = {
    orders.OrderStatus.SUBMITTING: "decided; its bytes may or may not have left",
    orders.OrderStatus.IN_DOUBT: "its bytes left, no answer came, the broker is being asked",
    orders.OrderStatus.WORKING: "the broker holds it and nothing is filled yet",
    orders.OrderStatus.PARTIALLY_FILLED: "the broker holds it and a part is filled",
    orders.OrderStatus.FILLED: "final: all of it is filled",
    orders.OrderStatus.CANCELED: "final: cancelled, perhaps after a part was filled",
    orders.OrderStatus.EXPIRED: "final: its time in force ended",
    orders.OrderStatus.REJECTED: "final: the broker refused it",
    orders.OrderStatus.NOT_SENT: "final: it never reached the broker",
    orders.OrderStatus.REPLACED: "final: cancelled to make way for the order that replaces it",
}
SEVERITIES = {
    orders.Severity.INFO: "worth reading later",
    orders.Severity.WARNING: "worth reading now",
    orders.Severity.PAGE: "wakes a person",
}
INTENTS = {
    orders.Intent.OPEN: "may raise exposure",
    orders.Intent.REDUCE: "proven to shrink a position, never through zero",
    orders.Intent.PLAN: "a protective close of a liquidation plan",
    orders.Intent.CANCEL: "takes an order away",
}


def first_sentence(docstring: str | None) -> str:
    """The first sentence of a docstring on one line, without its full stop."""
    text = " ".join((docstring or "").split("\n\n")[0].split())
    return re.split(r"(?<=[^.])\.(?:\s|$)", text, maxsplit=1)[0].replace("|", "\\|")


def _classes(union: object) -> dict[str, str]:
    return {kind.__name__: first_sentence(kind.__doc__) for kind in get_args(union)}


def _members(sentences: Mapping[Word, str], kind: type[Word]) -> dict[str, str]:
    return {member.name: sentences[member] for member in kind}


def rooms() -> dict[str, str]:
    """Each room that exists with the first sentence of its package or file."""
    found = {}
    for path in sorted(SOURCE.iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix == ".py" and file.exists() and path.name != "__init__.py":
            name = f"{path.name}/" if path.is_dir() else path.name
            found[name] = first_sentence(ast.get_docstring(ast.parse(file.read_text())))
    return found


def tables() -> dict[str, dict[str, str]]:
    """Every table of the page: word to sentence, in the code's order."""
    return {
        "inputs": _classes(inputs.Input),
        "effects": _classes(effects.Effect),
        "reasons": {reason.value: reasons.SENTENCES[reason] for reason in reasons.Reason},
        "postures": _members(POSTURES, postures.Posture),
        "levels of a halt": _members(HALT_LEVELS, postures.HaltLevel),
        "statuses of an order": _members(ORDER_STATUSES, orders.OrderStatus),
        "intents of an order": _members(INTENTS, orders.Intent),
        "severities of an alert": _members(SEVERITIES, orders.Severity),
        "rooms": rooms(),
    }


def drawn(page: str) -> str:
    """The page with every table drawn again; raises `KeyError` for a table nobody knows."""
    known = tables()

    def table(match: re.Match[str]) -> str:
        rows = [f"| `{word}` | {sentence} |" for word, sentence in known[match[1]].items()]
        lines = [match[0].splitlines()[0], "", "| word | what it says |", "|---|---|", *rows]
        return "\n".join([*lines, "", "<!-- end -->"])

    return re.sub(r"<!-- from the code: ([a-z ]+) -->.*?<!-- end -->", table, page, flags=re.DOTALL)


def main() -> None:
    PAGE.write_text(drawn(PAGE.read_text()))
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
