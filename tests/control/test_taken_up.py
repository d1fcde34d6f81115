"""What the register on disk holds and a running gateway does not show is said by `status`."""

from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.control.board import Board
from fuseboard.control.render import status_text
from fuseboard.control.status import Status, status_of
from fuseboard.control.taken_up import status_unanswered, with_register
from fuseboard.halts.block import SLOTS, Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.runtime.meter import NOTHING_MEASURED
from fuseboard.vocabulary.effects import PublishPosture
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.halts.making import LATER, MOMENT, halt, made

LINE = "symbol:AAPL: HALT (drawdown), operator: 5.10 %"
SHOWN = f"register  {LINE}; the gateway has not taken it up, and sends nothing new there"


def gateway(*shown: tuple[str, Posture]) -> Status:
    """What a gateway shows that allows everything but these."""
    board = Board()
    for scope, posture in [("account", Posture.OPEN), *shown]:
        board.apply(PublishPosture(scope=scope, posture=posture, reason=Reason.OPERATOR))
    return status_of(board, NOTHING_MEASURED, about={}, durable_sequence=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path)


def latched(path: Path, slot: Slot, level: HaltLevel, trip: str = "") -> None:
    with closing(HaltsRegister(path, slot)) as register:
        register.latch(halt("symbol:AAPL", level=level, trip=trip), MOMENT)


def test_a_latch_that_the_gateway_does_not_show_is_said_first_and_in_the_document(
    path: Path,
) -> None:
    assert with_register(gateway, path).not_taken_up == ()
    latched(path, Slot.OPERATOR, HaltLevel.HALT)
    status = with_register(gateway, path)
    assert status.not_taken_up == (LINE,)
    assert status_text(status).splitlines()[:2] == ["posture   OPEN", SHOWN]


@pytest.mark.parametrize(
    ("slot", "level", "trip", "posture", "is_shown"),
    [
        (Slot.OPERATOR, HaltLevel.HALT, "", Posture.HALTED, True),
        (Slot.OPERATOR, HaltLevel.FLATTEN, "", Posture.REDUCE_ONLY, False),
        (Slot.OPERATOR, HaltLevel.FREEZE, "", Posture.HALTED, True),
        (Slot.GUARDIAN, HaltLevel.KILL, "", Posture.HALTED, False),
        (Slot.GUARDIAN, HaltLevel.KILL, "", Posture.KILLED, True),
        (Slot.GATEWAY, HaltLevel.FLATTEN, "drawdown#1", Posture.REDUCE_ONLY, True),
        (Slot.GATEWAY, HaltLevel.FLATTEN, "drawdown#1", Posture.REDUCED, False),
    ],
)
def test_a_latch_is_shown_by_a_posture_as_tight_as_it_asks_for(
    path: Path, slot: Slot, level: HaltLevel, trip: str, posture: Posture, is_shown: bool
) -> None:
    latched(path, slot, level, trip)
    status = with_register(lambda: gateway(("symbol:AAPL", posture)), path)
    assert (status.not_taken_up == ()) == is_shown
    elsewhere = with_register(lambda: gateway(("symbol:TSLA", posture)), path)
    assert elsewhere.not_taken_up != ()


def test_a_kill_that_recovers_is_shown(path: Path) -> None:
    latched(path, Slot.GATEWAY, HaltLevel.KILL, "latch:symbol:AAPL#1")
    board = Board()
    board.apply(PublishPosture(scope="symbol:AAPL", posture=Posture.HALTED, reason=Reason.OPERATOR))

    def asked() -> Status:
        return status_of(board, NOTHING_MEASURED, about={}, durable_sequence=1)

    assert with_register(asked, path).not_taken_up
    board.apply(
        RecordTransition(
            fuse="latch:symbol:AAPL",
            scope="symbol:AAPL",
            before="KILLED",
            event="RESET",
            after="RECOVERY",
            generation=1,
        )
    )
    assert with_register(asked, path).not_taken_up == ()


def test_what_comes_or_goes_while_the_gateway_is_asked_is_no_difference(path: Path) -> None:
    def comes() -> Status:
        latched(path, Slot.OPERATOR, HaltLevel.HALT)
        return gateway()

    def goes() -> Status:
        with closing(HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)) as register:
            assert register.latched()
            register.clear("symbol:AAPL", LATER, MOMENT)
        return gateway()

    assert with_register(comes, path).not_taken_up == ()
    assert with_register(goes, path).not_taken_up == ()
    assert not HaltsRegister(path, Slot.GATEWAY).halted()


def test_a_register_that_cannot_be_read_is_said(path: Path) -> None:
    path.unlink()
    (line,) = with_register(gateway, path).not_taken_up
    assert line.startswith("account: HALT (register_unreadable)")


def test_of_a_gateway_that_hangs_the_register_is_shown(path: Path) -> None:
    assert status_unanswered(path, {}, "it hangs") is None
    latched(path, Slot.OPERATOR, HaltLevel.HALT)
    status = status_unanswered(path, {"account": "A1"}, "it hangs")
    assert status is not None
    assert (status.posture, status.not_taken_up) == ("UNKNOWN", (LINE,))
    assert [(at.scope, at.posture) for at in status.postures] == [("symbol:AAPL", "HALTED")]
    text = status_text(status)
    assert text.splitlines()[:3] == ["posture   UNKNOWN", SHOWN, "gateway   it hangs"]
    assert "flat" not in text, "nothing is known of positions"
