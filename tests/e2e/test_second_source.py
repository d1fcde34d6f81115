"""The broker keeps a fill from us, and somebody trades by hand: found, said, settled."""

from tests.e2e import truth
from tests.e2e.hand import by_hand, held, one_held
from tests.e2e.processes import World, accepted, fuseboard, until

POLICY = """\
name: second source
execution: {reconciliation: {every: 5s}}
"""


def test_a_fill_that_the_stream_kept_is_adopted_and_a_trade_by_hand_halts_until_a_person_accepts(
    here: World,
) -> None:
    exchange, gateway, bot = one_held(here, POLICY)
    exchange.faults(hide_fills=1)
    bid = float(exchange.state()["market"]["AAPL"]["bid"])
    accepted(bot.buy_limit("AAPL", 2, round(bid - 0.02, 2)))  # it rests, and fills later
    until(lambda: exchange.positions() == {"AAPL": "3"}, "the second is filled")
    gateway.wait_for(lambda now: held(now) == {"AAPL": "3"}, "and adopted, though nobody told it")
    gateway.wait_for(
        lambda now: now["posture"] == "OPEN" and not now["discrepancies"], "both agree again"
    )

    by_hand(exchange, symbol="AAPL", qty="4")
    now = gateway.wait_for(lambda now: len(now["discrepancies"]) >= 2, "it is found")
    assert now["posture"] == "HALTED"
    found = {at["source"]: at for at in now["discrepancies"]}
    assert (found["positions"]["ours"], found["positions"]["theirs"]) == ("3", "7")
    assert (found["activity feed"]["ours"], found["activity feed"]["theirs"]) == ("0", "4")
    assert held(now) == {"AAPL": "3"}, "nothing is corrected without a person"
    text = fuseboard("status", "--state", here.state).stdout
    assert "differs   AAPL: the broker holds 7, our book 3 [positions], since 20" in text
    words = ("--operator", "ann", "--reason", "hedge of the desk, ticket 12")
    assert fuseboard("reset", "--state", here.state, *words).returncode == 0
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "a named person took the broker's word")
    assert held(gateway.status()) == {"AAPL": "7"}
    accepted(bot.sell("AAPL", 1))
    assert gateway.stop() == 0
    truth.nothing_twice(exchange.ledger())
    here.evidence_is_clean()


def test_what_filled_while_the_gateway_was_down_is_accounted_for_before_anything_trades(
    here: World,
) -> None:
    exchange, gateway, bot = one_held(here, POLICY)
    bid = float(exchange.state()["market"]["AAPL"]["bid"])
    accepted(bot.buy_limit("AAPL", 2, round(bid - 0.05, 2)))  # it rests
    gateway.kill()
    until(lambda: exchange.positions() == {"AAPL": "3"}, "it fills, and nobody hears of it")
    again = here.open_gateway(exchange.url)
    now = again.wait_for(lambda now: now["posture"] == "OPEN", "compared")
    assert held(now) == {"AAPL": "3"}
    assert not now["discrepancies"]
    assert not now["working"]
    assert again.stop() == 0
    truth.nothing_twice(exchange.ledger())
    here.evidence_is_clean()
