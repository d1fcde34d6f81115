from fuseboard.control.board import Board
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary.denial_effects import RecordDenials
from fuseboard.vocabulary.effects import RaiseAlert
from fuseboard.vocabulary.inputs import Moment, RequestsDenied, RequestsThrottled
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


def test_a_flood_is_one_alert_with_its_numbers_and_changes_nothing_else() -> None:
    kernel = Kernel()
    before = kernel.digest()
    note = RequestsThrottled(strategy="alpha", count=7, a_second_max=50)
    (alert,) = kernel.step(Moment(boot_ns=1, wall_ns=1), note)
    assert isinstance(alert, RaiseAlert)
    assert (alert.severity, alert.code) == (Severity.WARNING, Reason.THROTTLED)
    assert alert.scope == "strategy:alpha"
    assert "50 times a second" in alert.text
    assert "7 since the last note" in alert.text
    assert kernel.digest() == before


def test_what_the_gateway_denied_is_evidence_and_changes_nothing() -> None:
    kernel, board = Kernel(), Board()
    before = kernel.digest()
    for count in (3, 4):
        note = RequestsDenied(strategy="alpha", reason=Reason.NUMBER_REFUSED, count=count)
        effects = kernel.step(Moment(boot_ns=1, wall_ns=1), note)
        assert effects == (
            RecordDenials(strategy="alpha", reason=Reason.NUMBER_REFUSED, count=count),
        )
        board.apply(effects[0])
    assert kernel.digest() == before
    assert board.denied == {"number_refused": 7}
