"""A halt under load, from the broker's side: what started after *accepted*, what arrived after
*settled*, and how long settling and cancelling take.

    python bench/halt.py [HALTS [RATE [SEED]]]
    python bench/halt.py at-200     only what Alpaca's own request limit makes of it
"""

import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.guardian import place
from fuseboard.control.asked import HaltAsked
from fuseboard.control.client import OperatorClient
from fuseboard.exchange.ledger import OrderEnded
from fuseboard.gateway.keys import Keys
from tests.e2e.halt_proof import (
    DOORS,
    POLICY,
    Ground,
    Proxy,
    Verdict,
    halted_once,
    judged,
    shift_of,
)
from tests.e2e.processes import Bots, until, world

DELAY_MS = 50
ORDERS = 100
ROUNDS = 5
FLOW_S = 1.5
QUIET_S = 0.4


def under_load(folder: Path, halts: int, rate: int, seed: int) -> None:
    dice = random.Random(seed)
    with world(folder, Bots(folder)) as here:
        ground = Ground(here, delay_ms=DELAY_MS, rate=rate)
        doors = [DOORS[number % len(DOORS)] for number in range(halts)]
        dice.shuffle(doors)
        done = [halted_once(ground, door, dice, flow_s=FLOW_S, quiet_s=QUIET_S) for door in doors]
        counts = ground.load.lines()
        verdicts = judged(ground, done)
        ground.load.kill()
        assert ground.gateway.stop() == 0
        here.evidence_is_clean()
    said(verdicts)
    seconds = (counts[-1]["at"] - counts[0]["at"]) / 1e9
    shown = {key: round(value / seconds) for key, value in counts[-1].items() if key != "at"}
    print(f"load over the whole run of {seconds:.0f} s, a second: {shown}")


def said(verdicts: list[Verdict]) -> None:
    started = [late for each in verdicts for late in each.started_late]
    arrived = [(each.halt.door, name) for each in verdicts for name in each.arrived_late]
    print(f"halts {len(verdicts)}")
    print(f"starts after accepted:   {len(started)} {[f'{each / 1e3:.0f} us' for each in started]}")
    print(f"arrivals after settled:  {len(arrived)} {arrived}")
    for what, figures in (
        ("in flight at the halt", [each.in_flight for each in verdicts]),
        ("taken between the two", [each.arrived_between for each in verdicts]),
        ("in doubt at settled", [len(each.halt.in_doubt) for each in verdicts]),
        ("started in the last second", [each.started_a_second for each in verdicts]),
    ):
        print(f"{what:28} median {statistics.median(figures):.0f} [{min(figures)}..{max(figures)}]")
    quick = [each.halt for each in verdicts if each.halt.door != "command"]
    settling = sorted((each.settled_ns - each.accepted_ns) / 1e6 for each in quick)
    print(f"accepted to settled, every door but the command, ms {spread(settling)}")
    for door in DOORS:
        mine = [each.halt for each in verdicts if each.halt.door == door]
        if mine:
            accepting = sorted((each.accepted_ns - each.asked_ns) / 1e6 for each in mine)
            settling = sorted((each.settled_ns - each.accepted_ns) / 1e6 for each in mine)
            print(
                f"{door:12} {len(mine):3}  asked to accepted, ms {spread(accepting)}"
                f"  accepted to settled, ms {spread(settling)}"
            )


def cancelled(folder: Path, level: str, delay_ms: int) -> tuple[float, float]:
    """Seconds from the asking for a halt until the last of 100 orders ended at the exchange, and
    until the gateway has the last one confirmed.
    """
    with world(folder, Bots(folder)) as here:
        here.init(POLICY)
        exchange = here.exchange(tape="normal", requests_per_minute=100_000)
        exchange.start()
        shift_ns = shift_of(exchange)
        url = here.kept(Proxy(folder, exchange, delay_ms)).url if delay_ms else exchange.url
        gateway = here.open_gateway(url)
        place(gateway.port(), Keys(here.state / "keys.json").mint("bench"), ORDERS)
        until(lambda: exchange.state()["working_orders"] == ORDERS, "the orders work")
        client = OperatorClient(here.state / "control.sock")
        asked_ns = time.monotonic_ns()
        assert client.act("halt", HaltAsked(operator="Ada", reason="bench", level=level)).accepted
        while client.status(with_orders=False).working:
            time.sleep(0.002)
        confirmed_ns = time.monotonic_ns()
        ended = [each.at_ns for each in exchange.ledger() if isinstance(each, OrderEnded)]
        assert len(ended) == ORDERS
        assert gateway.stop() == 0
    return (max(ended) + shift_ns - asked_ns) / 1e9, (confirmed_ns - asked_ns) / 1e9


def cancelling() -> None:
    for level in ("halt", "kill"):
        for delay_ms in (0, DELAY_MS):
            rounds = []
            for _ in range(ROUNDS):
                with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name:
                    rounds.append(cancelled(Path(name), level, delay_ms))
            at_exchange, confirmed = zip(*rounds, strict=True)
            print(
                f"{level:5} {ORDERS} working orders, {delay_ms:2} ms each way:"
                f" last order ended after {shown_s(at_exchange)}, confirmed {shown_s(confirmed)}"
            )


CASES = ("kill", "halt, 5 stops kept", "flatten", "SIGTERM")


def at_alpacas_limit(folder: Path, case: str) -> tuple[float, float, int]:
    """With 100 orders that open, placed while the exchange counts to Alpaca's own 200 requests a
    minute: seconds until the last of them ended, until flat (0: nothing is closed), and how many
    were left when the case was over.
    """
    with world(folder, Bots(folder)) as here:
        here.init(POLICY)
        exchange = here.exchange(tape="normal", speed=1, cash="10000000")
        exchange.start()
        shift_ns = shift_of(exchange)
        gateway = here.open_gateway(exchange.url)
        key = Keys(here.state / "keys.json").mint("bench")
        strategy = StrategyDoor(gateway.port(), key)
        strategy.order(qty="10", side="buy", type="market")
        until(exchange.positions, "10 are held")
        stops = 5 if "stops" in case else 0
        for _ in range(stops):
            strategy.order(qty="1", side="sell", type="stop", stop_price="1")
        for _ in range(ORDERS):
            strategy.order(qty="1", side="buy", type="limit", limit_price="100")
        until(lambda: exchange.state()["working_orders"] == ORDERS + stops, "the orders work")
        asked_ns = time.monotonic_ns()
        flat_ns = asked_ns
        if case == "SIGTERM":
            assert gateway.stop(180) == 0
        else:
            asked = HaltAsked(operator="Ada", reason="bench", level=case.split(",")[0])
            assert OperatorClient(here.state / "control.sock").act("halt", asked).accepted
            until(lambda: exchange.state()["working_orders"] == stops, "they ended", seconds=120)
        if case == "flatten":
            until(lambda: not exchange.positions(), "it is flat", seconds=120)
            flat_ns = time.monotonic_ns()
        left = exchange.state()["working_orders"] - stops
        ended = [each.at_ns for each in exchange.ledger() if isinstance(each, OrderEnded)]
    return (max(ended) + shift_ns - asked_ns) / 1e9, (flat_ns - asked_ns) / 1e9, left


class StrategyDoor:
    """A strategy that sends one order after the other, and waits where it is too fast."""

    def __init__(self, port: str, key: tuple[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        self._headers = dict(zip(("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"), key, strict=True))

    def order(self, **terms: str) -> None:
        body = json.dumps({"symbol": "AAPL", "time_in_force": "day", **terms})
        for _ in range(200):
            self._connection.request("POST", "/v2/orders", body, self._headers)
            answer = self._connection.getresponse()
            said = answer.read()
            if answer.status == 200:
                return
            time.sleep(0.3)
        raise AssertionError(said)


def at_200_a_minute() -> None:
    for case in CASES:
        rounds = []
        for _ in range(3):
            with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name:
                rounds.append(at_alpacas_limit(Path(name), case))
        ended, flat, left = zip(*rounds, strict=True)
        print(
            f"200 requests a minute, {case}: last of {ORDERS} orders ended after {shown_s(ended)},"
            f" flat after {shown_s(flat)}, left {max(left)}"
        )


def shown_s(figures: tuple[float, ...]) -> str:
    return f"{statistics.median(figures):.2f} s [{min(figures):.2f}..{max(figures):.2f}]"


def spread(figures: list[float]) -> str:
    p99 = figures[min(len(figures) - 1, len(figures) * 99 // 100)]
    return f"p50 {statistics.median(figures):.0f} p99 {p99:.0f} max {figures[-1]:.0f}"


def main() -> None:
    asked = sys.argv[1:]
    if asked == ["at-200"]:
        at_200_a_minute()
        return
    halts, rate, seed = map(int, [*asked, *("100", "1000", "1")[len(asked) :]])
    with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name:
        under_load(Path(name), halts, rate, seed)
    cancelling()
    at_200_a_minute()


if __name__ == "__main__":
    main()
