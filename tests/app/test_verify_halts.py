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
    ends = fuseboard.on_state("verify", "--json").json()["halts"]["anchor"]
    assert ends.startswith("2:")
    assert fuseboard.on_state("verify", "--halts-anchor", ends).code == 0
    with closing(sqlite3.connect(history)) as database:
        database.execute("UPDATE changes SET line = replace(line, 'Ada', 'Bob') WHERE sequence = 2")
        database.commit()
    bad = fuseboard.on_state("verify", "--json")
    assert (bad.code, bad.json()["ok"]) == (1, False)
    assert bad.json()["halts"]["ok"] is False
    said = fuseboard.on_state("verify")
    assert (said.code, "not good: change 2 is" in said.out) == (1, True)
    with closing(sqlite3.connect(history)) as database:
        database.execute("DELETE FROM changes WHERE sequence = 2")
        database.commit()
    assert fuseboard.on_state("verify").code == 0, "a chain does not know its own end"
    cut = fuseboard.on_state("verify", "--halts-anchor", ends)
    assert (cut.code, "cut off" in cut.out) == (1, True)


def test_a_register_that_was_put_back_is_found_by_its_history_and_shown_without_a_gateway(
    fuseboard: CommandLine,
) -> None:
    assert fuseboard.on_state("init").code == 0
    register = fuseboard.state / "halts.register"
    old = register.read_bytes()
    assert fuseboard.on_state("halt", "--operator", "Ada", "--reason", "storm").code == 0
    assert fuseboard.on_state("verify").code == 0
    shown = fuseboard.on_state("status").out
    assert "gateway   not running" in shown
    assert "latched account HALT [operator] Ada: storm" in shown
    register.write_bytes(old)
    found = fuseboard.on_state("verify")
    assert (found.code, "the slot of operator ended later" in found.out) == (1, True)
    shown = fuseboard.on_state("status").out
    assert shown.startswith("posture   HALTED")
    assert "[register_rolled_back]" in shown


def test_a_state_that_lost_its_journal_still_shows_whether_its_history_is_good(
    fuseboard: CommandLine,
) -> None:
    assert fuseboard.on_state("init").code == 0
    register, journal = fuseboard.state / "halts.register", fuseboard.state / "journal.db"
    old = register.read_bytes()
    assert fuseboard.on_state("halt", "--operator", "Ada", "--reason", "storm").code == 0
    for file in fuseboard.state.glob("journal.db*"):
        file.unlink()
    lost = fuseboard.on_state("verify")
    assert (lost.code, lost.err) == (1, "")
    assert lost.out.splitlines()[0] == f"there is no journal at {journal}: nothing of it is judged"
    assert "1 changes of the halts register, the chain holds; anchor 1:" in lost.out
    verdict = fuseboard.on_state("verify", "--json").json()
    assert (verdict["ok"], verdict["records"], verdict["halts"]["ok"]) == (False, 0, True)
    assert verdict["what"] == f"there is no journal at {journal}"
    register.write_bytes(old)
    put_back = fuseboard.on_state("verify")
    assert (put_back.code, "the slot of operator ended later" in put_back.out) == (1, True)
    assert not journal.exists(), "looking makes none"
    assert "there is no journal at" in fuseboard.refused("replay", "--state", fuseboard.state)
