"""What of the kernel is compiled: the functions that an accepted order goes through.

    python -m compiled.step FILE      (writes the Cython source)

`Kernel.step` itself, the step of an order, and what the policy's own checks read of an order take
the place of the interpreted ones when the module is loaded. All others, and all other inputs, call
what is interpreted, as before.
"""

import sys
from pathlib import Path
from typing import Final

from compiled.fuse import fused
from compiled.whole import Fused, read

MODULE: Final = "fuseboard.core._step"
READERS: Final = (
    "_order_price",
    "_fresh",
    "_bid",
    "_ask",
    "_last_trade",
    "_price",
    "_last_price",
    "_quote_size",
    "_order_size",
    "_order_value",
    "_position_size",
    "_max_order_value",
    "_max_order_size",
)
FUSED: Final[dict[str, tuple[str, ...]]] = {
    "core.kernel": ("Kernel.step",),
    "core.judging": (
        "order_requested",
        "message_counted",
        "refusal",
        "order_of",
        "intent_now",
        "accepted",
    ),
    "core.throttles": ("Ring.count", "Ring.full", "Throttles.remember", "likeness"),
    "vocabulary.identifiers": ("OrderIds.order_id",),
    "core.exposure": ("intent_of", "worst_price_nanos"),
    "core.position": ("Position.worst_with_attos", "Position.add", "Position.reducible_nanos"),
    "core.market": ("Instrument.priced",),
    "core.liquidity.watching": ("judge_now", "judge"),
    "core.liquidity.monitor": (
        "Liquidity.widest",
        "Liquidity.judge",
        "Liquidity._scored",
        "Liquidity.stands_until",
    ),
    "core.liquidity.windows": (
        "Count.follow",
        "Recent.within",
        "Average.spans_from",
        "Average.at_now",
    ),
    "core.liquidity.velocity": ("points", "calibrated_points", "Usual.span_at"),
    "core.liquidity.depth": ("points",),
    "core.liquidity.score": ("composites",),
    "core.liquidity.tiers": ("Gauge.follow", "band_of"),
    "core.liquidity.shaping": ("note_taken",),
    "core.checks.quick": (
        "worst_if_passed",
        "_small",
        "_cheap",
        "_mark",
        "_priced",
        "_too_often",
        "_more",
    ),
    "core.checks.liquidity_tier": ("keeps",),
    "core.checks.custom": READERS,
    "core.measures.recording": ("expected_price_nanos",),
    "core.outgoing": ("submit",),
    "core.book": ("Ledger.position", "Book.strategy", "Book.add"),
}
_ENTRIES: Final = '''
@cython.binding(True)
def step(kernel, moment, fact):
    """As `Kernel.step`, compiled."""
    return f_core_kernel_Kernel_step(kernel, moment, fact)


@cython.binding(False)
def order_requested(turn, fact):
    """As `judging.order_requested`, compiled."""
    f_core_judging_order_requested(turn, fact)
'''
_READER: Final = """
@cython.binding(False)
@cython.always_allow_keywords(False)
def read{name}(proposal):
    return f_core_checks_custom_{name}(proposal)
"""
_PLACED: Final = """
import fuseboard.core.kernel as _kernel
from fuseboard.core.checks.custom import OF_ORDER as _of_order

_kernel.Kernel.step = step
_kernel._STEPS[_kernel.OrderRequested] = order_requested
_readers = {{{readers}}}
for _name, _reader in list(_of_order.items()):
    _of_order[_name] = _readers.get(_reader.__name__, _reader)
"""


def source() -> str:
    """The Cython source of the compiled step. Raises `Refused`."""
    asked: list[Fused] = [
        at for room, names in FUSED.items() for at in read(f"fuseboard.{room}", *names)
    ]
    readers = ", ".join(f"{name!r}: read{name}" for name in READERS)
    entries = [_ENTRIES, *(_READER.format(name=name) for name in READERS)]
    return fused(asked) + "\n".join(entries) + _PLACED.format(readers=readers)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(source(), encoding="utf-8")
