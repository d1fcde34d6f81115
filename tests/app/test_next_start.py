"""`fuseboard status` without a gateway shows what the next start begins with: one fact for both."""

from contextlib import closing
from shlex import quote

import pytest
from msgspec import structs

from fuseboard.app.journal_lost import restored_of
from fuseboard.app.starting import flattens_not_begun
from fuseboard.control.state_directory import StateDirectory
from fuseboard.core.kernel import Kernel
from fuseboard.gateway.keys import Keys
from fuseboard.guardian.orders import Place
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule
from fuseboard.rescue.journal import GuardianJournal
from fuseboard.upkeep.backup import taken
from fuseboard.upkeep.restore import untold_restore
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerStreamChanged,
    LatchedScope,
    NodeStarted,
    PolicyAdopted,
    PositionsSeen,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.app.command_line import CommandLine
from tests.app.lived import halt, live

COMPARED = (
    BrokerStreamChanged(connected=True),
    AccountSeen(
        cash_nanos=NANOS, equity_nanos=NANOS, last_equity_nanos=NANOS, multiplier=1,
        shorting_enabled=False,
    ),
    PositionsSeen(positions=()),
)  # fmt: skip
AFTER_NS = 2_000_000_000 * NANOS
"""Wall time after the books were compared: what was closed before is counted already."""


def begun(fuseboard: CommandLine) -> StateDirectory:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    live(state)
    return state


def test_a_restore_that_no_start_has_been_told_of_is_shown_as_the_next_start_takes_it(
    fuseboard: CommandLine,
) -> None:
    state = begun(fuseboard)
    backup, _ = taken(state, fuseboard.folder / "backups")
    state.journal_file.unlink()
    who = ("--operator", "ann", "--reason", "disk died")
    assert fuseboard.on_state("restore", backup, *who).code == 0
    untold = untold_restore(state, 0)
    assert untold is not None
    before = fuseboard.on_state("status", "--json").json()
    (drawdown,) = [at for at in before["fuses"] if at["fuse"] == "drawdown:account"]
    assert drawdown["generation"] == untold.at_wall_ns // NANOS, "armings are numbered anew"
    assert state.restored_file.exists(), "who looks tells no kernel"
    live(state)
    after = fuseboard.on_state("status", "--json").json()
    assert drawdown in after["fuses"]
    assert after["postures"] == before["postures"]


def test_when_the_books_were_last_compared_is_shown(fuseboard: CommandLine) -> None:
    state = begun(fuseboard)
    assert fuseboard.on_state("status", "--json").json()["compared_wall_ns"] == 0
    live(state, *COMPARED)
    assert fuseboard.on_state("status", "--json").json()["compared_wall_ns"] > 10**18


def test_the_fuses_of_each_strategy_with_a_key_are_shown(fuseboard: CommandLine) -> None:
    state = begun(fuseboard)
    rule = BreakerRule(name="streak", condition="consecutive_losses >= 8", scope="strategy:*")
    text = canonical_text(Policy(breakers=(rule,)))
    live(state, PolicyAdopted(text=text, digest=digest_of(text), operator="ann"), start=False)
    Keys(state.keys_file).mint("alpha")

    shown = fuseboard.on_state("status", "--json").json()
    assert "streak:strategy:alpha" in [at["fuse"] for at in shown["fuses"]]
    assert shown["alerts"] == []


def test_what_a_start_is_refused_for_hides_nothing_else(fuseboard: CommandLine) -> None:
    state = begun(fuseboard)
    whole = fuseboard.on_state("status", "--json").json()
    state.keys_file.write_text("{")
    state.restored_file.write_text("{")
    shown = fuseboard.on_state("status", "--json").json()
    assert (shown["fuses"], shown["postures"]) == (whole["fuses"], whole["postures"])
    said = [at["text"] for at in shown["alerts"]]
    for text, file in zip(said, (state.keys_file, state.restored_file), strict=True):
        assert text.startswith(f"a start is refused: {file}")


def test_what_the_guardian_was_about_to_close_is_among_the_orders(fuseboard: CommandLine) -> None:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    live(state, *COMPARED)
    close = GuardianClose(
        at_wall_ns=AFTER_NS, trip="guardian#7", order_id="o" * 36, wire_id="fb-1",
        client_order_id="c", symbol="AAPL", side=Side.SELL, quantity_nanos=NANOS,
        limit_price_nanos=None,
    )  # fmt: skip
    assert fuseboard.on_state("status", "--json").json()["orders"] == []
    with closing(GuardianJournal(Place(state.path).journal_file)) as journal:
        journal.write("sending", run_ns=7, close=close)
    (order,) = fuseboard.on_state("status", "--json").json()["orders"]
    assert (order["symbol"], order["status"]) == ("AAPL", "in_doubt")


def test_what_was_reset_too_often_is_shown_with_the_time_of_the_next(
    fuseboard: CommandLine,
) -> None:
    assert fuseboard.on_state("init").code == 0
    state = StateDirectory(fuseboard.state)
    reset = OperatorResetRequested(request=2, operator="ann", reason="seen", scope="account")
    live(state, *COMPARED, *(halt(), *COMPARED, reset) * 3, halt())
    said = fuseboard.on_state("status").out
    assert "next      `fuseboard run`, then from 2027-01-16 08:00:10 UTC, or after" in said


@pytest.mark.parametrize("scope", ["account", "symbol:BRK B"])
def test_a_flattening_that_the_journal_lost_is_paged_and_one_that_began_is_not(
    fuseboard: CommandLine, scope: str
) -> None:
    state = begun(fuseboard)
    before = restored_of(state).kernel
    live(state, *COMPARED, halt(scope, HaltLevel.FLATTEN), start=False)
    with closing(HaltsRegister(state.register_file, Slot.OPERATOR)) as register:
        latched, _ = register.at_start()
    started = NodeStarted(instance="a", account="a", release="0", latched=latched)
    assert flattens_not_begun(started, restored_of(state).kernel) == []
    (said,) = flattens_not_begun(started, before)
    assert said.endswith(f"`fuseboard halt --level flatten --scope {quote(scope)}`")


def test_a_flattening_that_a_register_made_again_holds_is_not_paged_when_the_journal_has_its_plan(
    fuseboard: CommandLine,
) -> None:
    state = begun(fuseboard)
    live(state, *COMPARED, halt(level=HaltLevel.FLATTEN), start=False)
    with closing(HaltsRegister(state.register_file, Slot.OPERATOR)) as register:
        (held,) = register.at_start()[0]
    assert held.trip == "latch:account#1"
    anew = structs.replace(held, halt_epoch=AFTER_NS)  # as a restore, or a new register, counts
    started = NodeStarted(instance="a", account="a", release="0", latched=(anew,))
    assert flattens_not_begun(started, Kernel()), "without the journal it would be"
    assert flattens_not_begun(started, restored_of(state).kernel) == []


def test_only_a_persons_flattening_is_paged_that_is_lost() -> None:
    def lost(level: HaltLevel, trip: str) -> bool:
        at = LatchedScope(
            scope="account", level=level, reason=Reason.OPERATOR, trip=trip, halt_epoch=5
        )
        started = NodeStarted(instance="a", account="a", release="0", latched=(at,))
        return bool(flattens_not_begun(started, Kernel()))

    assert lost(HaltLevel.FLATTEN, "")
    assert lost(HaltLevel.FLATTEN, "latch:account#2")
    assert not lost(HaltLevel.FLATTEN, "drawdown:account#1"), "it trips again, and closes"
    assert not lost(HaltLevel.HALT, "")
