"""Conditions read as people write them, and every mistake is refused where it stands."""

from fractions import Fraction

import pytest

from fuseboard.policy.conditions import (
    Condition,
    ConditionRefused,
    Verdict,
    condition_from_text,
    simple_bound,
)
from fuseboard.vocabulary.catalogue import ALIASES, CATALOGUE, Place
from fuseboard.vocabulary.money import NANOS
from tests.policy.conditions.generated import value_in_unit

HOLDS, FAILS, UNKNOWN = Verdict.HOLDS, Verdict.FAILS, Verdict.UNKNOWN
SECOND = NANOS


def read(text: str) -> Condition:
    return condition_from_text(text, order=True)


def refusal(text: str, *, order: bool = True) -> ConditionRefused:
    with pytest.raises(ConditionRefused) as refused:
        condition_from_text(text, order=order)
    return refused.value


@pytest.mark.parametrize(
    ("text", "values", "verdict"),
    [  # each value in the integers of its unit
        ("order_size < avg_daily_volume * 0.01", (99 * NANOS, 10_000 * NANOS), HOLDS),
        ("order_size < avg_daily_volume * 0.01", (100 * NANOS, 10_000 * NANOS), FAILS),
        ("order_size <= avg_daily_volume * 1%", (100 * NANOS, 10_000 * NANOS), HOLDS),
        ("abs(order_price - last_price) / last_price < 0.05", (95 * NANOS, 100 * NANOS), FAILS),
        ("abs(order_price - last_price) / last_price < 0.05", (95 * NANOS + 1, 100 * NANOS), HOLDS),
        ("abs(order_price - last_price) / last_price < 0.05", (105 * NANOS, 100 * NANOS), FAILS),
        ("abs(order_price - last_price) / last_price < 0.05", (105 * NANOS, 0), UNKNOWN),
        ("price > 1.0", (NANOS,), FAILS),
        ("price > 1.0", (NANOS + 1,), HOLDS),
        ("daily_pnl < -0.03", (-NANOS * 3 // 100,), FAILS),
        ("daily_pnl < -3%", (-NANOS * 3 // 100 - 1,), HOLDS),
        ("data_age < 2h", (7200 * SECOND - 1,), HOLDS),
        ("data_age < 2h", (7200 * SECOND,), FAILS),
        ("data_age >= 1d", (86_400 * SECOND,), HOLDS),
        ("0 < data_age <= 1500ms", (1500 * SECOND // 1000,), HOLDS),
        ("equity < 100000 USD", (100_000 * NANOS - 1,), HOLDS),
        ("error_count_1h > 5", (5,), FAILS),
        ("error_count_1h > 5", (6,), HOLDS),
        ("error_count_1h == 2.5", (2,), FAILS),
        ("fill_quality < 80", (80 * NANOS - 1,), HOLDS),
        ("vix > 30", (None,), UNKNOWN),
        ("0 < spread < 1%", (NANOS // 100,), FAILS),
        ("0 < spread < 1%", (1,), HOLDS),
        ("order_value / equity <= 1 / 3", (NANOS, 3 * NANOS), HOLDS),
        ("order_value / equity <= 1 / 3", (NANOS, 3 * NANOS - 1), FAILS),
        ("order_price * order_size == order_value", (2 * NANOS, 3 * NANOS, 6 * NANOS), HOLDS),
        ("1 / price < 1 / ask + 0.5", (2 * NANOS, 2 * NANOS), HOLDS),
        ("equity / cash > 0", (-NANOS, -1), HOLDS),
        ("equity / cash > 0", (-NANOS, 1), FAILS),
        ("abs(equity / cash) == 2", (-2 * NANOS, NANOS), HOLDS),
        ("min(bid, ask / spread, 3) == 3", (4 * NANOS, NANOS, -NANOS // 4), FAILS),
        ("min(bid, ask / spread) == -4", (4 * NANOS, NANOS, -NANOS // 4), HOLDS),
        ("max(bid, ask / spread) == 4", (4 * NANOS, NANOS, -NANOS // 4), HOLDS),
        ("price / (bid * 0) > 1", (NANOS, NANOS), UNKNOWN),
        ("price != 0 * ask", (NANOS, None), UNKNOWN),
        ("order_price < last_price * (1 + 5%)", (105 * NANOS - 1, 100 * NANOS), HOLDS),
        ("not (price > 1 or price < -1)", (0,), HOLDS),
        ("not price > 1", (2 * NANOS,), FAILS),
        ("-price < --1", (0,), HOLDS),
    ],
)
def test_a_condition_is_judged_exactly_at_its_boundary(
    text: str, values: tuple[int | None, ...], verdict: Verdict
) -> None:
    condition = read(text)
    valued = [
        value_in_unit(name, value) for name, value in zip(condition.names, values, strict=True)
    ]
    assert condition.judge(valued) is verdict
    assert condition.judge(tuple(valued)) is verdict


TRUE, FALSE, MAYBE = "positions == 1", "positions == 2", "vix > 1"
KLEENE = [
    (f"{FALSE} and {MAYBE}", FAILS),
    (f"{MAYBE} and {FALSE}", FAILS),
    (f"{TRUE} and {MAYBE}", UNKNOWN),
    (f"{MAYBE} and {TRUE}", UNKNOWN),
    (f"{TRUE} or {MAYBE}", HOLDS),
    (f"{MAYBE} or {TRUE}", HOLDS),
    (f"{FALSE} or {MAYBE}", UNKNOWN),
    (f"{MAYBE} or {FALSE}", UNKNOWN),
    (f"not ({MAYBE} and {TRUE})", UNKNOWN),
    (f"not ({MAYBE} and {FALSE})", HOLDS),
    (f"not {MAYBE} or {FALSE}", UNKNOWN),
    (f"({MAYBE} or {MAYBE}) and {TRUE}", UNKNOWN),
    (f"{TRUE} and {TRUE} and {TRUE}", HOLDS),
    ("2 < positions < positions * vix / sharpe", FAILS),
    ("0 < positions < 1 + vix / sharpe * positions", UNKNOWN),
    ("min(vix, sharpe) < 1", UNKNOWN),
    ("max(0, sharpe - sharpe) * vix > 1", UNKNOWN),
]


@pytest.mark.parametrize(("text", "verdict"), KLEENE)
def test_unknown_spreads_by_kleenes_rules(text: str, verdict: Verdict) -> None:
    condition = read(text)
    known = {"positions": 1, "vix": None, "sharpe": NANOS}
    assert condition.judge([known[name] for name in condition.names]) is verdict


@pytest.mark.parametrize(
    ("text", "canonical", "names"),
    [
        ("  price>1.0 ", "price > 1", ("price",)),
        ("mtd_return<-0.050", "monthly_pnl < -0.05", ("monthly_pnl",)),
        ("order_quantity<007", "order_size < 7", ("order_size",)),
        ("max_divergence\n>\t5 %", "max_position_divergence > 5%", ("max_position_divergence",)),
        ("cash<100000USD", "cash < 100000 USD", ("cash",)),
        ("data_age<090s", "data_age < 90s", ("data_age",)),
        ("((price) > (1))", "price > 1", ("price",)),
        ("(bid-ask)-price>0", "bid - ask - price > 0", ("bid", "ask", "price")),
        ("bid-(ask-price)>0", "bid - (ask - price) > 0", ("bid", "ask", "price")),
        ("bid/(ask*spread)>0", "bid / (ask * spread) > 0", ("bid", "ask", "spread")),
        ("(bid/ask)*spread>0", "bid / ask * spread > 0", ("bid", "ask", "spread")),
        ("-(bid+ask)<-(-bid)", "-(bid + ask) < --bid", ("bid", "ask")),
        ("-(spread*spread)<0", "-(spread * spread) < 0", ("spread",)),
        ("vix>1 and(vix>2 and vix>3)", "vix > 1 and vix > 2 and vix > 3", ("vix",)),
        ("(vix>1 or vix>2) and vix>3", "(vix > 1 or vix > 2) and vix > 3", ("vix",)),
        ("(vix>1 and vix>2) or vix>3", "vix > 1 and vix > 2 or vix > 3", ("vix",)),
        ("not(vix>1)and not(vix>2 or vix>3)", "not vix > 1 and not (vix > 2 or vix > 3)", ("vix",)),
        ("max( bid , ask,1 )<2", "max(bid, ask, 1) < 2", ("bid", "ask")),
        ("1<(bid)<=2!=ask", "1 < bid <= 2 != ask", ("bid", "ask")),
    ],
)
def test_the_canonical_text_is_one_spelling_and_reads_as_itself(
    text: str, canonical: str, names: tuple[str, ...]
) -> None:
    condition = read(text)
    assert condition.text == canonical
    assert condition.names == names
    assert read(canonical).text == canonical
    assert read(canonical) == condition


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("", 0, "expected a name, a number or `(`, found the end"),
        ("price >", 7, "expected a name, a number or `(`, found the end"),
        ("price > > 1", 8, "found `>`"),
        ("prise > 1", 0, "did you mean `price`?"),
        ("price > 1 and Equity > 2", 14, "did you mean `equity`?"),
        ("zzzzzz > 1", 0, "docs/measures.md"),
        ("price = 1", 6, "`==` compares"),
        ("price > 1 && bid > 1", 10, "write `and`"),
        ("!(price > 1)", 0, "write `not`"),
        ("price > $5", 8, "100000 USD"),
        ("price > .5", 8, "0.5"),
        ("price > 5.", 8, "plain number"),
        ("price > 1_000", 8, "plain number"),
        ("price > 1e5", 8, "plain number"),
        ("price > 0x5", 8, "plain number"),
        ("price > 1234567890123456", 8, "15 whole digits"),
        ("price > 0.1234567891", 8, "9 decimals"),
        ("data_age < 1.5h", 11, "whole number"),
        ("data_age < 2h30m", 11, "plain number"),
        ("data_age < 1234567890s", 11, "nine digits"),
        ("data_age < 2", 11, "has no unit and `data_age` is duration"),
        ("data_age < 2 * 3", 11, "`500ms`, `30s`"),
        ("price ** 2 > 1", 7, "found `*`"),
        ("price.real > 1", 5, "has no meaning here"),
        ("price[0] > 1", 5, "has no meaning here"),
        ("pow(price, 2) > 1", 0, "cannot be called"),
        ("abs > 1", 4, "expected `(` after `abs`"),
        ("abs(price, bid) > 1", 0, "takes one number, found 2"),
        ("min(price) > 1", 0, "takes two numbers or more, found 1"),
        ("min(price, > 1", 11, "expected a name"),
        ("min(price, 2 > 1", 16, "expected `,` or `)`"),
        ("(price > 1", 10, "expected `)` for the `(` at 1"),
        ("price > 1)", 9, "or the end, found `)`"),
        ("price > 1 bid", 10, "found `bid`"),
        ("price", 0, "expected a comparison"),
        ("price + 1", 0, "expected a comparison"),
        ("price > 1 and bid", 14, "expected a comparison"),
        ("not bid", 4, "expected a comparison"),
        ("1 < 2", 0, "needs the name of a measure"),
        ("(price > 1) + 2 > 1", 1, "true or false"),
        ("(price > 1) == (bid > 1)", 1, "true or false"),
        ("-(price > 1) < 1", 2, "true or false"),
        ("abs(price > 1) < 1", 4, "true or false"),
        ("abs(not price > 1) < 1", 4, "true or false"),
        ("price * (bid > 1 or ask > 1) < 1", 9, "true or false"),
        ("order_size > order_value", 13, "`order_size` is quantity and `order_value` is money"),
        ("order_size + cash > 1", 13, "`cash` is money: different units cannot be added"),
        ("max(1, price, cash) > 1", 14, "`price` is price and `cash` is money"),
        ("price > 5 USD", 8, "a price is written as a bare number"),
        ("price > 5%", 8, "price and `5%` is fraction"),
        ("positions > 5%", 12, "count and `5%` is fraction"),
        ("cash * cash > cash", 14, "money × money and `cash` is money"),
        ("1 / price > cash / bid", 12, "is quantity / money and"),
        ("price / 0 > 1", 8, "`0` is zero and divides"),
        ("price / (2 * 3 - 6) > 1", 9, "zero and divides"),
        ("price > 1 // 2", 11, "found `/`"),
        ("price > +1", 8, "found `+`"),
        ("price > 1 \x00", 10, "has no meaning"),
        ("price > \u0663", 8, "has no meaning"),
        ("and > 1", 0, "found `and`"),
        ("price > 1 or", 12, "found the end"),
        ("lambda: 1", 6, "has no meaning"),
        ("lambda > 1", 0, "not a name"),
        ("__import__ > 1", 0, "not a name"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_where_it_stands(text: str, offset: int, said: str) -> None:
    error = refusal(text)
    assert said in str(error), str(error)
    assert error.offset == offset


def test_names_of_an_order_are_known_only_in_the_checks_of_an_order() -> None:
    for measure in CATALOGUE:
        unit = {"duration": "1s"}.get(measure.unit.value, "1")
        text = f"{measure.name} > {unit}"
        assert condition_from_text(text, order=True).names == (measure.name,)
        if measure.place is Place.STATE:
            assert condition_from_text(text, order=False).names == (measure.name,)
        else:
            assert "only in the checks of an order" in str(refusal(text, order=False))
    assert "only in the checks of an order" in str(refusal("order_quantity > 1", order=False))


def test_a_text_is_compiled_once_however_often_its_policy_is_read() -> None:
    text = "drawdown > 5.0 %"
    first = condition_from_text(text, order=False)
    assert condition_from_text(text, order=False) is first
    assert condition_from_text(text, order=True) is not first, "its names are looked up elsewhere"
    for _ in range(2):
        with pytest.raises(ConditionRefused):
            condition_from_text("drawdown >", order=False)


def test_an_order_name_is_never_suggested_where_it_is_not_known() -> None:
    assert "`order_price`" in str(refusal("order_prise > 1"))
    assert "order_price" not in str(refusal("order_prise > 1", order=False))
    assert "`order_quantity`" not in str(refusal("order_quantitx > 1", order=False))


def test_aliases_resolve_to_their_measure() -> None:
    for alias, name in ALIASES.items():
        assert read(f"{alias} > 1").names == (name,)


def test_a_condition_over_marks_says_so() -> None:
    for measure in CATALOGUE:
        unit = {"duration": "1s"}.get(measure.unit.value, "1")
        assert read(f"vix > 1 or {measure.name} > {unit}").uses_equity is measure.equity
    assert read("vix > 1 or drawdown > 1").uses_equity
    assert not read("vix > 1").uses_equity


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("drawdown > 5%", ("drawdown", ">", Fraction(1, 20))),
        ("0.05 < drawdown", ("drawdown", ">", Fraction(1, 20))),
        ("mtd_return <= -0.05", ("monthly_pnl", "<=", Fraction(-1, 20))),
        ("10 * 2 - 5 >= vix", ("vix", "<=", Fraction(15))),
        ("data_age < min(2h, 90m)", ("data_age", "<", Fraction(5400))),
        ("cash == abs(-5 USD)", ("cash", "==", Fraction(5))),
        ("cash != max(1, 2)", ("cash", "!=", Fraction(2))),
        ("positions > 2.5", ("positions", ">", Fraction(5, 2))),
        ("1 / 3 > spread", ("spread", "<", Fraction(1, 3))),
        ("positions == 2.5", ("positions", "==", Fraction(5, 2))),
        ("not vix > 5", None),
        ("0 < vix < 5", None),
        ("vix * 2 > 5", None),
        ("vix > sharpe", None),
        ("vix > 5 and vix > 6", None),
    ],
)
def test_a_simple_bound_is_a_name_an_operator_and_a_number(
    text: str, bound: tuple[str, str, Fraction] | None
) -> None:
    assert simple_bound(read(text)) == bound


def test_the_number_of_values_is_that_of_the_names() -> None:
    for values in ((), (1,), (1, 2, 3)):
        with pytest.raises(ValueError, match="unpack"):
            read("bid < ask").judge(values)


def test_length_depth_and_words_are_bounded() -> None:
    assert read("vix > 1" + " " * 493)
    assert refusal("vix > 1" + " " * 494).offset == 500
    assert read("(" * 32 + "vix > 1" + ")" * 32).text == "vix > 1"
    assert "nested deeper than 32" in str(refusal("(" * 33 + "vix > 1" + ")" * 33))
    assert read("not " * 32 + "vix > 1").judge([2 * NANOS]) is HOLDS
    assert refusal("not " * 33 + "vix > 1").offset == 4 * 32
    assert read("-" * 32 + "vix > 1").judge([2 * NANOS]) is HOLDS
    assert refusal("-" * 33 + "vix > 1").offset == 32
    assert read("abs(" * 32 + "vix" + ")" * 32 + "> 1").judge([-2 * NANOS]) is HOLDS
    assert refusal("abs(" * 33 + "vix" + ")" * 33 + "> 1").offset == 4 * 32
    assert read("vix>1" + "+1" * 123).judge([124 * NANOS]) is FAILS
    assert "longer than 250 words" in str(refusal("vix>1" + "+1" * 124))
    text = "order_value>order_price*order_size" + " and vix>1" * 46
    assert len(text) <= 500
    assert "with its spaces" in str(refusal(text))


@pytest.mark.parametrize(
    ("start", "link"),
    [
        ("spread>0", "+1/spread"),
        ("spread>0", "-spread/spread"),
        ("spread<bid/ask", "*bid/ask"),
        ("vix>0", "+2*vix"),
        ("1/spread>0", "+max(spread,1/spread)"),
        ("spread>0", "-abs(2/3-1/spread)"),
        ("vix>0", " and vix<9"),
        ("vix>0", " or not vix<9"),
    ],
)
def test_the_longest_chains_are_judged(start: str, link: str) -> None:
    longest, text = read(start), start + link
    links = 0
    while True:
        try:
            longest = read(text)
        except ConditionRefused:
            break
        links, text = links + 1, text + link
    assert links >= 15
    for values in ([NANOS] * 3, [-1, 1, -2], [10**24 + 7] * 3, [None, 1, 0]):
        pairs = zip(longest.names, values, strict=False)
        assert longest.judge([value_in_unit(name, value) for name, value in pairs]) in Verdict
    assert longest.judge([None] * len(longest.names)) is UNKNOWN
