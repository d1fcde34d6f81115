"""The whole gate under the full example policy, against NautilusTrader's RiskEngine, in one run.

    make bench-peers        (installs the peer into .venv-peers; without it, only ours is measured)

Both hold 100 symbols and have 10, 1,000 and 10,000 limit orders working; new limit buys of one
share are accepted one by one, each call timed. Rounds alternate between the two processes.

Ours is one `Kernel.step`: every check of `examples/policy.yaml` (numbers widened so that so much
may be held and worked, no check switched off), its own conditions included, worst case with all
working orders, the order booked, `SubmitOrder` made. Its circuit breakers watch: what they judge
from outside (the maintenance margin, `vix`) is reported. It measures liquidity, so it is measured
twice: `fuseboard` has one quote of each symbol, and nothing is known of its trades and depth yet;
`fuseboard, moving` has heard trades and quotes of each for five minutes, so that each order scores
its symbol's liquidity anew, at its own moment.

The peer is measured twice. `path` is what a strategy's submit does there: the order enters the
cache, passes the risk engine (cash account, a max notional for each symbol) and the execution
engine, and is marked as submitted: it is booked, as ours is. `checks` is its risk engine alone.
"""

import gc
import json
import platform
import statistics
import subprocess
import time
from pathlib import Path
from types import TracebackType

from msgspec.structs import replace

from fuseboard.core.gate import active_of, gate_of
from fuseboard.core.kernel import Kernel
from fuseboard.policy.loader import read_policy
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SYMBOLS = 100
WORKING = (10, 1_000, 10_000)
MOVING_SECONDS = 300
ROUNDS = 7
ORDERS = 2_000
EQUITY = 10**10 * NANOS
STRATEGY = "pairs"
OURS = ("fuseboard", "fuseboard, moving")


def full_policy() -> Policy:
    """The example policy, with room for what this bench holds and works."""
    path = ROOT / "examples" / "policy.yaml"
    policy = read_policy(path.read_text(encoding="utf-8"), path.name).policy
    limits = replace(
        policy.limits,
        order_value_nanos_max=10**6 * NANOS,
        order_rate_max=10_000,
        order_rate_window_ns=1,
        messages_max=10_000,
        messages_window_ns=1,
        daily_orders_max=10**6,
        duplicate_window_ns=1,
        working_orders_max=100_000,
        position_value_nanos_max=10**7 * NANOS,
        positions_max=1_000,
    )
    sectors = {f"S{number}": f"sector {number % 7}" for number in range(SYMBOLS)}
    return replace(policy, limits=limits, sectors=policy.sectors | sectors)


def moment(number: int) -> facts.Moment:
    return facts.Moment(NANOS + 1_000 * number, NANOS + 1_000 * number)


def request(number: int) -> facts.OrderRequested:
    return facts.OrderRequested(
        request=number,
        strategy=STRATEGY,
        client_order_id=f"order-{number}",
        symbol=f"S{number % SYMBOLS}",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
        limit_price_nanos=100 * NANOS,
    )


def account(equity_nanos: int = EQUITY, cash_nanos: int = EQUITY) -> facts.AccountSeen:
    return facts.AccountSeen(
        cash_nanos=cash_nanos,
        equity_nanos=equity_nanos,
        last_equity_nanos=equity_nanos,
        multiplier=1,
        shorting_enabled=True,
        maintenance_margin_nanos=10**4 * NANOS,
    )


def quote(symbol: str, size_nanos: int = NANOS) -> QuoteSeen:
    bid_nanos, ask_nanos = 100 * NANOS - NANOS // 100, 100 * NANOS
    return QuoteSeen(
        symbol=symbol,
        bid_nanos=bid_nanos,
        ask_nanos=ask_nanos,
        bid_size_nanos=size_nanos,
        ask_size_nanos=size_nanos,
        event_ns=0,
        bid_low_nanos=bid_nanos,
        ask_high_nanos=ask_nanos,
    )


def ready(working: int) -> bytes:
    """The snapshot of a kernel that holds every symbol and has so many orders working."""
    kernel = Kernel()
    text = canonical_text(full_policy())
    held = tuple(
        facts.BrokerPosition(
            symbol=f"S{number}",
            quantity_nanos=NANOS,
            average_price_nanos=100 * NANOS,
            price_nanos=100 * NANOS,
        )
        for number in range(SYMBOLS)
    )
    first: tuple[facts.Input, ...] = (
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="bench"),
        facts.NodeStarted(instance="benchben", account="A1", release="0", strategies=(STRATEGY,)),
        facts.BrokerStreamChanged(connected=True),
        account(),
        facts.PositionsSeen(positions=held),
        facts.MeasureReported(request=0, name="vix", value=15 * NANOS, event_ns=0),
        *(quote(f"S{number}") for number in range(SYMBOLS)),
    )
    for fact in first:
        kernel.step(moment(0), fact)
    for number in range(1, working + 1):
        effects = kernel.step(moment(number), request(number))
        assert isinstance(effects[-1], SubmitOrder), effects
    return kernel.snapshot()


def moving(snapshot: bytes, working: int) -> bytes:
    """The same after minutes of trades and quotes, which leave each symbol where it was."""
    kernel, began = Kernel.restored(snapshot), moment(working)
    for second in range(1, MOVING_SECONDS + 1):
        at = facts.Moment(began.boot_ns + second * NANOS, began.wall_ns + second * NANOS)
        for number in range(SYMBOLS):
            symbol, nanos = f"S{number}", 100 * NANOS
            trade = TradeSeen(
                symbol=symbol,
                price_nanos=nanos,
                size_nanos=NANOS,
                event_ns=0,
                low_nanos=nanos,
                high_nanos=nanos,
                count=5,
            )
            kernel.step(at, trade)
            kernel.step(at, quote(symbol, NANOS * (100 + 7 * (second % 5))))
        kernel.step(at, facts.MeasureReported(request=0, name="vix", value=15 * NANOS, event_ns=0))
    equity_nanos = kernel._state.book.account.equity_attos() // NANOS
    kernel.step(at, account(equity_nanos, kernel._state.book.account.cash_attos // NANOS))
    return kernel.snapshot()


def ours(snapshot: bytes, working: int, later_ns: int = 0) -> dict[str, float]:
    """One round: so many new orders accepted; nanoseconds an order."""
    kernel = Kernel.restored(snapshot)
    asked = [(moment(n), request(n)) for n in range(working + 1, working + 1 + ORDERS)]
    if later_ns:
        asked = [(facts.Moment(a.boot_ns + later_ns, a.wall_ns + later_ns), f) for a, f in asked]
    times = []
    gc.collect()
    gc.freeze()
    gc.disable()
    step, clock = kernel.step, time.perf_counter_ns
    for at, fact in asked:
        began = clock()
        effects = step(at, fact)
        times.append(clock() - began)
        assert type(effects[-1]) is SubmitOrder
    gc.enable()
    gc.unfreeze()
    times.sort()
    return {"median_ns": statistics.median(times), "p99_ns": times[ORDERS * 99 // 100]}


class Peer:
    """The other process; `ask` sends one line and waits for its answer."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [PEER_PYTHON, ROOT / "bench" / "peers" / "nautilus_risk.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the peer has ended: see what it said above")
        answer: dict[str, float] = json.loads(line)
        return answer

    def ask(self, line: str) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()


def shown(name: str, working: int, rounds: list[dict[str, float]]) -> None:
    medians = [it["median_ns"] / 1000 for it in rounds]
    p99 = statistics.median(it["p99_ns"] for it in rounds) / 1000
    middle = statistics.median(medians)
    print(
        f"{name:<18} {working:>7,} {middle:>8.2f} {f'[{min(medians):.2f}..{max(medians):.2f}]':>16}"
        f" {p99:>8.2f} {1e6 / middle:>10,.0f}"
    )


def compare(working: int, peers: dict[str, Peer]) -> None:
    snapshot, later_ns = ready(working), MOVING_SECONDS * NANOS
    moved = moving(snapshot, working)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in (*OURS, *peers)}
    for _ in range(ROUNDS):
        rounds["fuseboard"].append(ours(snapshot, working))
        rounds["fuseboard, moving"].append(ours(moved, working, later_ns))
        for name, peer in peers.items():
            peer.ask(f"{name} {working}")
            rounds[name].append(peer.ask(f"round {ORDERS}"))
    for name, figures in rounds.items():
        shown(name if name in OURS else f"nautilus {name}", working, figures)
    for name in peers:
        for own in OURS:
            pairs = zip(rounds[name], rounds[own], strict=True)
            ratios = [theirs["median_ns"] / mine["median_ns"] for theirs, mine in pairs]
            print(
                f"  {name}: {own} is {statistics.median(ratios):.2f} x as fast"
                f" [{min(ratios):.2f}..{max(ratios):.2f}]"
            )


def main() -> None:
    policy = full_policy()
    active, _ = active_of(policy, gate_of(policy), policy.limits, judges_sessions=False)
    print(f"fuseboard: Python {platform.python_version()}, {len(active.opening_rows)} checks")
    head = ("what", "working", "us", "[min..max]", "p99", "orders/s")
    if not PEER_PYTHON.exists():
        print("the peer is not installed, so only ours is measured: make bench-peers installs it")
        peers: dict[str, Peer] = {}
        print(f"{head[0]:<18} {head[1]:>7} {head[2]:>8} {head[3]:>16} {head[4]:>8} {head[5]:>10}")
        for working in WORKING:
            compare(working, peers)
        return
    with Peer() as path, Peer() as checks:
        about = path.about
        print(f"NautilusTrader {about['version']} on Python {about['python']}")
        print(f"{ROUNDS} rounds of {ORDERS:,} accepted orders, {SYMBOLS} symbols held; medians")
        print(f"{head[0]:<18} {head[1]:>7} {head[2]:>8} {head[3]:>16} {head[4]:>8} {head[5]:>10}")
        for working in WORKING:
            compare(working, {"path": path, "checks": checks})


if __name__ == "__main__":
    main()
