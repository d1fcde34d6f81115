"""What a plan could not close is paged by name, as many as one message holds."""

from fuseboard.core import closes
from fuseboard.core.legs import Plan
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.evidence_effects import RecordPlan
from tests.core.test_known_failures import Desk


def test_a_page_names_ten_leftovers_and_counts_the_others_which_the_record_has() -> None:
    turn = Desk().kernel._turn
    for count, more in ((10, ""), (45, "; and 35 more: `fuseboard status` lists all")):
        plan = Plan(
            trip="t#1",
            scope="account",
            stage="closing",
            began_boot_ns=0,
            deadline_boot_ns=0,
            orders=dict.fromkeys(f"o{number}" for number in range(count)),
        )
        turn.out = []
        closes.finish(turn, plan, "ended")
        (recorded,) = [effect for effect in turn.out if isinstance(effect, RecordPlan)]
        (page,) = [effect for effect in turn.out if isinstance(effect, fx.RaiseAlert)]
        assert len(recorded.left) == count
        assert page.text.count("is not known to be cancelled") == closes.LEFT_SAID_MAX
        assert page.text.endswith(f"order o9 is not known to be cancelled{more}")
