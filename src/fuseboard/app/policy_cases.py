"""Cases of a policy: orders and what must become of them, judged by the real kernel.

A file of cases gives the account, quotes and positions that hold for all of them, and the cases;
each may change what is given. `before` names orders that are sent first and must be allowed; they
stay at the broker, or are filled. See `examples/policy-cases.yaml`.
"""

from typing import Any, Final

from msgspec import Struct

from fuseboard.core.data_health import WELL_NS
from fuseboard.core.kernel import Kernel
from fuseboard.core.reporting import never_taken
from fuseboard.policy import unit_table as unit
from fuseboard.policy import units
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.reading import Reading, joined
from fuseboard.policy.shapes import Either, Items, Open, Section, Shape, Unit, Value
from fuseboard.policy.yaml_text import PROBLEMS_MAX, PolicyRefused, tree_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.catalogue import MEASURES, SCALE
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS, nanos_from_attos
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import SENTENCES, Reason

CASES_MAX: Final = 1_000
BEFORE_MAX: Final = 1_000
START: Final = facts.Moment(NANOS, 1_700_000_000 * NANOS)
SESSION: Final = "2023-11-14"
"""The date of `START`."""
HOUR_NS: Final = 3600 * NANOS
STEP_NS: Final = 100_000_000
PAUSES_MAX: Final = 1_000
"""Quotes of a symbol while time passes before a case; of a longer time each stands for more."""
ALLOWED: Final = "allowed"
DENIED: Final = "denied"
_REASONS: Final = tuple(reason.value for reason in Reason)


def _signed(text: str) -> int:
    nanos = units.quantity_nanos(text.removeprefix("-"))
    return -nanos if text.startswith("-") else nanos


def _expected(text: str) -> tuple[str, str]:
    verdict, _, reason = text.partition(":")
    unit.words(ALLOWED, DENIED).read(verdict)
    if reason.strip():
        unit.words(*_REASONS).read(reason.strip())
    if verdict == ALLOWED and reason.strip():
        raise units.Refused("an allowed order has no reason: write `allowed`")
    return verdict, reason.strip()


_NUMBER: Final = {"anyOf": [{"type": "number"}, {"type": "string"}]}
SIGNED: Final = Unit("a quantity, negative when short: `-10`", _signed, _NUMBER)
EXPECTED: Final = Unit("`allowed`, `denied` or `denied: REASON`", _expected, {"type": "string"})
QUOTES: Final = Open(
    unit.SYMBOL,
    Either(
        "the middle of the quote, or [bid, ask]",
        word=Value(unit.PRICE),
        items=Items(Value(unit.PRICE), "two prices, bid and ask", 2, least=2),
    ),
    "symbols with their quotes",
)
GIVEN: Final[dict[str, Shape]] = {
    "account": Section(
        {
            "cash": Value(unit.MONEY),
            "multiplier": Value(unit.whole(1, 10)),
            "shorting": Value(unit.FLAG),
            "maintenance_margin": Value(unit.MONEY),
        }
    ),
    "quotes": QUOTES,
    "positions": Open(unit.SYMBOL, Value(SIGNED), "symbols with the quantity held"),
    "measures": Open(
        unit.NAME,
        Value(SIGNED),
        "measures from outside: `vix: 20`, `liquidity_score: 50`, `avg_daily_volume AAPL: 1000000`",
    ),
}
ORDER: Final[dict[str, Shape]] = {
    "strategy": Value(unit.NAME),
    "symbol": Value(unit.SYMBOL),
    "side": Value(unit.words("buy", "sell", synonyms={"sell_short": "sell"})),
    "quantity": Value(unit.QUANTITY, aliases=("qty", "size")),
    "limit": Value(unit.PRICE, aliases=("limit_price",)),
    "stop": Value(unit.PRICE, aliases=("stop_price",)),
    "time_in_force": Value(unit.words("day", "gtc", "ioc", "fok"), aliases=("tif",)),
}
_NEEDS: Final = "an order needs its symbol, side and quantity"
_ORDER: Final = Section(ORDER, "", ("symbol", "side", "quantity"), _NEEDS)
CASE: Final = Section(
    {
        "name": Value(unit.TEXT),
        **GIVEN,
        "before": Items(
            Section(
                {**ORDER, "filled": Value(unit.FLAG)}, "", ("symbol", "side", "quantity"), _NEEDS
            ),
            "orders",
            BEFORE_MAX,
        ),
        "order": _ORDER,
        "expect": Either(
            "`allowed`, `denied`, or `denied: REASON`",
            word=Value(EXPECTED),
            keys=Section({DENIED: Value(unit.words(*_REASONS))}, "", (DENIED,), "the reason"),
        ),
    },
    "",
    ("name", "order", "expect"),
    "a case needs a `name`, an `order` and what to `expect`",
)
CASES: Final = Section(
    {**GIVEN, "cases": Items(CASE, "cases", CASES_MAX, least=1)},
    "",
    ("cases",),
    "there must be cases",
)


class Outcome(Struct, frozen=True):
    """What became of a case."""

    name: str
    line: int
    expected: str
    got: str
    passed: bool
    why: str = ""
    """The denial's sentence and numbers, or what went wrong before the order."""


class Case(Struct, frozen=True):
    """One case, with all that is given."""

    name: str
    line: int
    account: dict[str, Any]
    quotes: dict[str, Any]
    positions: dict[str, int]
    measures: dict[str, int]
    before: list[dict[str, Any]]
    order: dict[str, Any]
    expected: tuple[str, str]


def read_cases(text: str, source: str) -> tuple[Case, ...]:
    """The cases of a text; raises `PolicyRefused` with every mistake and its place."""
    reading = Reading(source)
    top = reading.read(tree_of(text, source, reading.problems), "", CASES) or {}
    _refuse_measures(reading, "", top.get("measures", {}))
    cases = []
    for path, values in top.get("cases", ()):
        given = {key: {**top.get(key, {}), **values.get(key, {})} for key in GIVEN}
        for symbol in given["positions"]:
            if symbol not in given["quotes"]:
                reading.refuse_value(path, f"{symbol} is held and has no quote: give it one")
        _refuse_measures(reading, path, values.get("measures", {}))
        if not {"name", "order", "expect"} <= values.keys():
            continue
        expect = values["expect"]
        if isinstance(expect, dict) and DENIED not in expect:
            continue
        cases.append(
            Case(
                name=values["name"],
                line=reading.entries[path].value.line,
                before=[order for _, order in values.get("before", ())],
                order=values["order"],
                expected=(DENIED, expect[DENIED]) if isinstance(expect, dict) else expect,
                **given,
            )
        )
    if reading.problems:
        in_order = sorted(reading.problems, key=lambda it: (it.place.line, it.place.column))
        raise PolicyRefused(tuple(in_order[:PROBLEMS_MAX]))
    return tuple(cases)


def _refuse_measures(reading: Reading, path: str, measures: dict[str, int]) -> None:
    """Refuse what no gateway would take from outside: the case would be judged without it."""
    for words, nanos in measures.items():
        place = joined(joined(path, "measures"), words)
        name, _, symbol = words.partition(" ")
        if what := never_taken(name, symbol, nanos):
            reading.refuse_value(place, what)
        elif symbol:
            try:
                unit.SYMBOL.read(symbol)
            except units.Refused as refused:
                reading.refuse_value(place, str(refused))


def outcomes(policy: Policy, cases: tuple[Case, ...]) -> tuple[Outcome, ...]:
    """Each case on a kernel of its own."""
    return tuple(_outcome(policy, case) for case in cases)


def _outcome(policy: Policy, case: Case) -> Outcome:
    desk = _Desk(policy, case)
    expected = ": ".join(part for part in case.expected if part)
    for number, order in enumerate(case.before, start=1):
        denied = desk.send(order, filled=order.get("filled", False))
        if denied is not None:
            got = f"order {number} of `before` denied: {denied.reason.value}"
            return Outcome(case.name, case.line, expected, got, False, _why(denied))
    denied = desk.send(case.order, filled=False)
    if denied is None:
        return Outcome(case.name, case.line, expected, ALLOWED, case.expected[0] == ALLOWED)
    got = f"{DENIED}: {denied.reason.value}"
    passed = case.expected[0] == DENIED and case.expected[1] in ("", denied.reason.value)
    return Outcome(case.name, case.line, expected, got, passed, _why(denied))


def _why(denied: fx.AnswerDenied) -> str:
    numbers = f" (observed {denied.observed}, limit {denied.limit})" if denied.limit else ""
    return f"{denied.message or SENTENCES[denied.reason]}{numbers}"


class _Desk:
    """A kernel that has started, with an account, quotes and positions; time moves by steps."""

    def __init__(self, policy: Policy, case: Case) -> None:
        self._kernel = Kernel()
        self._moment = START
        self._sent = 0
        self._quote_age_ns = policy.data.quote_age_ns_max
        self._strategy = policy.strategies[0].name if policy.strategies else "default"
        self._middles: dict[str, int] = {}
        text = canonical_text(policy)
        self._take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="policy test"))
        self._take(facts.NodeStarted(instance="testtest", account="test", release="0", latched=()))
        self._take(facts.BrokerStreamChanged(connected=True))
        for symbol, quote in case.quotes.items():
            bid, ask = _sides(quote)
            self._middles[symbol] = (bid + ask) // 2
        self._books(case)
        self._begin_session(policy)
        self._report(case)
        # What was unknown until now may tighten limits for a while longer: let it pass.
        clear_ns = max((rule.clear_after_ns for rule in policy.dynamic_limits), default=0)
        if policy.liquidity is not None:  # and each tier up to NORMAL takes its dwell
            clear_ns = max(clear_ns, (len(Tier) + 1) * policy.liquidity.dwell_ns)
        self._pass(clear_ns, case)
        self._books(case)
        self._report(case)
        for _ in range(3):  # data that were missing count as well only after a while
            self._pass(WELL_NS, case)
            self._report(case)

    def _books(self, case: Case) -> None:
        """The account and the positions, as the broker reports them."""
        cash = case.account.get("cash", 100_000 * NANOS)
        worth = sum(held * self._middles[symbol] for symbol, held in case.positions.items())
        equity = cash + nanos_from_attos(worth)
        self._take(
            facts.AccountSeen(
                cash_nanos=cash,
                equity_nanos=equity,
                last_equity_nanos=equity,
                multiplier=case.account.get("multiplier", 1),
                shorting_enabled=case.account.get("shorting", True),
                maintenance_margin_nanos=case.account.get("maintenance_margin", 0),
            )
        )
        self._take(
            facts.PositionsSeen(
                positions=tuple(
                    facts.BrokerPosition(
                        symbol=symbol,
                        quantity_nanos=held,
                        average_price_nanos=self._middles[symbol],
                        price_nanos=self._middles[symbol],
                    )
                    for symbol, held in case.positions.items()
                )
            )
        )

    def _pass(self, nanoseconds: int, case: Case) -> None:
        """Let time pass in a market that goes on: each quote is repeated before it is stale."""
        left_ns = nanoseconds + STEP_NS
        every_ns = max(self._quote_age_ns // 2, left_ns // PAUSES_MAX, STEP_NS)
        while left_ns > 0:
            before, passed_ns = self._moment, min(left_ns, every_ns)
            self._moment = facts.Moment(before.boot_ns + passed_ns, before.wall_ns + passed_ns)
            left_ns -= passed_ns
            self._take(facts.TimeAdvanced())
            self._quotes(case)

    def _quotes(self, case: Case) -> None:
        for symbol, quote in case.quotes.items():
            bid, ask = _sides(quote)
            self._quote(symbol, bid, ask)

    def _report(self, case: Case) -> None:
        """Quotes, and what somebody outside measures."""
        self._quotes(case)
        for number, (words, nanos) in enumerate(case.measures.items(), start=1):
            self._measure(number, words, nanos)
        self._take(facts.TimeAdvanced())

    def _begin_session(self, policy: Policy) -> None:
        """The market is open, and the session, week and month have just begun."""
        now_ns = self._moment.wall_ns + STEP_NS
        self._take(facts.BrokerClockSeen(wall_ns=now_ns, is_open=True))
        self._take(
            facts.SessionRolled(
                calendar=policy.session.calendar,
                session=SESSION,
                week_began=SESSION,
                month_began=SESSION,
                open_ns=now_ns - HOUR_NS,
                close_ns=now_ns + 24 * HOUR_NS,
            )
        )

    def _measure(self, number: int, words: str, nanos: int) -> None:
        """What somebody outside reports: `vix`, or `avg_daily_volume AAPL`."""
        name, _, symbol = words.partition(" ")
        effects = self._take(
            facts.MeasureReported(
                request=number,
                name=name,
                value=nanos * SCALE[MEASURES[name].unit] // NANOS,
                event_ns=self._moment.wall_ns,
                symbol=symbol,
            )
        )
        refused = [
            effect.message
            for effect in effects
            if isinstance(effect, fx.AnswerOperator) and not effect.accepted
        ]
        assert not refused, (words, refused)  # `read_cases` takes only what is taken here

    def _take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        before = self._moment
        self._moment = facts.Moment(before.boot_ns + STEP_NS, before.wall_ns + STEP_NS)
        effects = self._kernel.step(self._moment, fact)
        for effect in effects:
            if isinstance(effect, fx.ReadExecutions):  # a case has no activity feed
                absent = ExecutionsSeen(after=effect.after, newest="", problem="absent")
                self._take(absent)
        return effects

    def _quote(self, symbol: str, bid: int, ask: int) -> None:
        self._take(
            QuoteSeen(
                symbol=symbol,
                bid_nanos=bid,
                ask_nanos=ask,
                bid_size_nanos=NANOS,
                ask_size_nanos=NANOS,
                event_ns=self._moment.wall_ns,
                bid_low_nanos=bid,
                ask_high_nanos=ask,
            )
        )

    def send(self, order: dict[str, Any], *, filled: bool) -> fx.AnswerDenied | None:
        """The denial of an order; None when it was submitted (and, if asked, filled at once)."""
        self._sent += 1
        fact = _request(order, self._sent, self._strategy)
        effects = self._take(fact)
        for effect in effects:
            if isinstance(effect, fx.AnswerDenied):
                return effect
        submit = next(effect for effect in effects if isinstance(effect, fx.SubmitOrder))
        broker = f"b{self._sent}"
        working = OrderStatus.WORKING
        self._take(
            facts.OrderSent(order_id=submit.order_id, broker_order_id=broker, status=working)
        )
        if filled:
            price = fact.limit_price_nanos or self._middles[fact.symbol]
            self._take(
                facts.FillReported(
                    order_id=submit.order_id,
                    broker_order_id=broker,
                    quantity_nanos=submit.quantity_nanos,
                    price_nanos=price,
                    filled_quantity_nanos=submit.quantity_nanos,
                    filled_price_nanos=price,
                    final=True,
                )
            )
        return None


def _sides(quote: Any) -> tuple[int, int]:
    """Bid and ask; around one price, a tenth of a percent or a cent to each side."""
    if isinstance(quote, list):
        return quote[0], quote[1]
    half = min(NANOS // 100, quote // 1000)
    return quote - half, quote + half


def _request(order: dict[str, Any], number: int, strategy: str) -> facts.OrderRequested:
    limit, stop = order.get("limit"), order.get("stop")
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    return facts.OrderRequested(
        request=number,
        strategy=order.get("strategy", strategy),
        client_order_id=f"case-{number}",
        symbol=order["symbol"],
        side=Side(order["side"]),
        order_type=kinds[limit is not None, stop is not None],
        time_in_force=TimeInForce(order.get("time_in_force", "day")),
        quantity_nanos=order["quantity"],
        limit_price_nanos=limit,
        stop_price_nanos=stop,
    )
