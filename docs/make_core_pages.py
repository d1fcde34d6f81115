"""Writes fuse-machine.md, checks.md and a table of liquidity.md from the kernel's own tables."""

import re
import sys
from itertools import pairwise
from pathlib import Path

from fuseboard.core.checks.active import Row
from fuseboard.core.checks.posture import ADMITTED
from fuseboard.core.checks.table import TABLE as CHECKS
from fuseboard.core.fuses.machine import POSTURE_OF, TABLE, FuseEvent, FuseState, Outcome, diagram
from fuseboard.core.liquidity.tiers import POINTS_MAX, edges_of
from fuseboard.core.liquidity.tiers import TABLE as TIERS
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.postures import Posture

ROOT = Path(__file__).resolve().parent.parent
WRITTEN_BY = "<!-- Written by docs/make_core_pages.py from the code; do not edit. -->"
YES, NO = "yes", "-"
_SENTENCE_END = re.compile(r"(?<!\bArt)(?<!\bNo)(?<!\be\.g)(?<!\bcf)\. (?=[A-Z`])")
"""A full stop, but not one that abbreviates before a number or a name."""


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def first_sentence(docstring: str | None) -> str:
    """The first sentence of a docstring on one line."""
    text = " ".join((docstring or "").split("\n\n")[0].split())
    return _SENTENCE_END.split(text, maxsplit=1)[0].rstrip(".")


def fuse_machine() -> str:
    """The page of the fuse machine: diagram, postures and the total table."""
    rows = []
    for state in FuseState:
        cells = [f"`{state.value}`"]
        for event in FuseEvent:
            after = TABLE[state, event]
            cells.append(after.value if isinstance(after, Outcome) else f"**{after.value}**")
        rows.append(cells)
    lines = [
        "# The fuse machine",
        "",
        WRITTEN_BY,
        "",
        "Every fuse is this machine. A latched state (`TRIGGERED` and beyond) loosens only by an",
        "event that a person stands behind: `RESET`, `REBASED`, `RECOVERY_PASSED`. Where a rule",
        "says `next_trading_day`, `RESET` also comes at the next trading day's open, by calendar",
        "and broker's clock. What",
        "trips fuses is in [fuses.md](fuses.md).",
        "",
        "```mermaid",
        diagram(),
        "```",
        "",
        "## What each state asks for",
        "",
        *_table(
            ["state", "posture"],
            [[f"`{state.value}`", posture.name] for state, posture in POSTURE_OF.items()],
        ),
        "",
        "## The whole table",
        "",
        "`ignored`: nothing changes, and that is right. `refused`: somebody asked for what this",
        "state does not allow.",
        "",
        *_table(["state", *(f"`{event.value}`" for event in FuseEvent)], rows),
    ]
    return "\n".join(lines) + "\n"


def about(row: Row) -> str:
    """The first sentence of the check's own file."""
    return first_sentence(sys.modules[row.passes.__module__].__doc__)


def checks() -> str:
    """The page of the checks: which apply to which intent, and what each posture admits."""
    by_intent = [
        [
            f"`{row.name}`",
            about(row),
            *(YES if intent in row.intents else NO for intent in (Intent.OPEN, Intent.REDUCE)),
            YES if row.may_be_off else NO,
            YES if row.overridable else NO,
            ", ".join(f"`{name}`" for name in (*row.needs, *row.fields)) or "always",
        ]
        for row in CHECKS
    ]
    by_posture = [
        [posture.name, *(YES if intent in ADMITTED[posture] else NO for intent in Intent)]
        for posture in Posture
    ]
    intents = [intent.value for intent in Intent]
    lines = [
        "# Checks before an order",
        "",
        WRITTEN_BY,
        "",
        "In this order; the first denial stops, and every check that ran is reported. An order is",
        "`reduce` only when that is proven: it fits into what the strategy and the account hold,",
        "less what already works to reduce it. Plans and cancels are held back by no check.",
        "",
        *_table(
            ["check", "what it does", "open", "reduce", "may be off", "override", "judged by"],
            by_intent,
        ),
        "",
        "A check runs when one of the fields it is judged by is set. After these, the policy's own",
        "checks run (orders that open; each may be overridden). *Override*: two people may let one",
        "order pass it. *May be off*: a policy may switch it off by name.",
        "",
        "## What each posture admits",
        "",
        "In `REDUCED` new risk is judged by halved limits and a halved price collar.",
        "",
        *_table(["posture", *intents], by_posture),
    ]
    return "\n".join(lines) + "\n"


def liquidity() -> str:
    """The page of liquidity, written by hand, with the tier machine's table drawn into it."""
    rules = LiquidityRules()
    bands = [_band(low, high) for low, high in pairwise([0, *edges_of(rules), POINTS_MAX + 1])]
    cells = [
        [f"**{tier.name}**", *("stays" if to is tier else to.name for to in row)]
        for tier, row in TIERS.items()
    ]
    table = "\n".join(_table(["in", *bands], cells))
    page = (ROOT / "docs" / "liquidity.md").read_text()
    before, begin, rest = page.partition("<!-- from the code: tiers -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def _band(low: int, high: int) -> str:
    """The scores of a band; the edge of one that begins above a whole score is just above it."""
    if not low:
        return f"under {high // 100}"
    if high > POINTS_MAX:
        return f"above {low // 100}"
    return (
        f"above {low // 100}, under {high // 100}"
        if low % 100
        else f"{low // 100} to {high // 100}"
    )


PAGES = {"fuse-machine.md": fuse_machine, "checks.md": checks, "liquidity.md": liquidity}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
