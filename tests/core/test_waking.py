"""The kernel keeps asking to be woken, however long the broker takes to answer."""

from fuseboard.core.kernel import Kernel
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary.effects import ReadAccount, WakeAt
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerStreamChanged,
    Input,
    Moment,
    NodeStarted,
    PolicyAdopted,
    PositionsSeen,
    TimeAdvanced,
)
from fuseboard.vocabulary.money import NANOS


def test_books_that_are_compared_late_are_compared_again() -> None:
    text = canonical_text(Policy())
    account = AccountSeen(
        cash_nanos=NANOS,
        equity_nanos=NANOS,
        last_equity_nanos=NANOS,
        multiplier=1,
        shorting_enabled=False,
    )
    told: list[tuple[int, Input]] = [
        (1, PolicyAdopted(text=text, digest=digest_of(text), operator="start")),
        (1, NodeStarted(instance="simulone", account="A1", release="0")),
        (1, BrokerStreamChanged(connected=True)),
        (6, TimeAdvanced()),  # the wake of the first reading, which has no answer yet
        (7, account),
        (7, PositionsSeen(positions=())),
    ]
    kernel = Kernel()
    for second, fact in told:
        effects = kernel.step(Moment(second * NANOS, second * NANOS), fact)
    wakes = [effect.boot_ns for effect in effects if isinstance(effect, WakeAt)]
    assert len(wakes) == 1, "nobody wakes it for the next reading"
    again = kernel.step(Moment(wakes[0], wakes[0]), TimeAdvanced())
    assert any(isinstance(effect, ReadAccount) for effect in again)
