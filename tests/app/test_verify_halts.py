"""`fuseboard verify` also says whether the history of the halts register is what was written."""

import sqlite3
from contextlib import closing

from fuseboard.halts.history import HaltChange, append
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.app.command_line import CommandLine


def test_a_history_that_was_changed_is_told_from_one_that_was_not(fuseboard: CommandLine) -> None:
    assert fuseboard.on_state("init").code == 0
    assert fuseboard.on_state("verify", "--json").json()["halts"]["changes"] == 0
    history = fuseboard.state / "halts.db"
    for epoch in (1, 2):
        change = HaltChange(
            what="latched",
            slot="gateway",
            scope="account",
            level=HaltLevel.HALT,
            reason=Reason.OPERATOR,
            trip="",
            halt_epoch=epoch,
            detail="storm",
            operator="Ada",
            moment=Moment(epoch, epoch),
        )
        append(history, change)
    good = fuseboard.on_state("verify")
    assert (good.code, "2 changes of the halts register, the chain holds" in good.out) == (0, True)
    with closing(sqlite3.connect(history)) as database:
        database.execute("UPDATE changes SET line = replace(line, 'Ada', 'Bob') WHERE sequence = 2")
        database.commit()
    bad = fuseboard.on_state("verify", "--json")
    assert (bad.code, bad.json()["ok"]) == (1, False)
    assert bad.json()["halts"]["ok"] is False
    said = fuseboard.on_state("verify")
    assert (said.code, "damaged after these" in said.out) == (1, True)
