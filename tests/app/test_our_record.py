"""What a person sees while no gateway runs is our record, with its time; or why there is none."""

import pytest

from fuseboard.app.commands import _keep_journal
from fuseboard.control.state_directory import Identity, StateDirectory
from fuseboard.halts.register import HaltsRegister
from fuseboard.lab.demo import DemoOptions, run_demo
from tests.app.command_line import CommandLine


@pytest.fixture
def held(fuseboard: CommandLine) -> CommandLine:
    """The state of a gateway that was killed while positions were held."""
    records = run_demo(DemoOptions(scene="normal", ticks=20), lambda _line: None).records
    state = StateDirectory(fuseboard.state)
    state.path.mkdir()
    _keep_journal(state.journal_file, records)
    HaltsRegister.create(state.register_file)
    state.finish(Identity(instance="demo0000", account="demo", created_ns=1))
    return fuseboard


def test_orders_and_positions_without_a_gateway_are_said_to_be_our_record(
    held: CommandLine,
) -> None:
    first = "gateway not running: our record of 2026-01-05 15:00:02 UTC, not the broker's"
    for words, count in (("orders", 3), ("positions", 4)):
        said = held.on_state(words).out.splitlines()
        assert (said[0], len(said)) == (first, 1 + 1 + count), said
        as_json = held.on_state(words, "--json")
        assert (as_json.err, len(as_json.json())) == (f"{first}\n", count)
    status = held.on_state("status").out.splitlines()
    at = status.index(f"recorded  {first.partition(': ')[2]}")
    assert status[at + 1 : at + 3] == ["orders    3 working", "positions 200 AAPL, 160 TSLA"]
    assert held.on_state("status", "--json").json()["recorded_wall_ns"] // 10**9 == 1_767_625_202
