"""What operators may ask: the same words and bounds with a gateway and without one."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.control.asked import (
    OPERATOR_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    SCOPE_CHARACTERS_MAX,
    AskedRefused,
    CashAsked,
    DividendAsked,
    HaltAsked,
    PolicyAsked,
    ResetAsked,
    cash_of,
    checked_scope,
    dividend_of,
    halt_of,
    policy_of,
    reset_of,
)
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel


@given(st.text(max_size=700), st.text(max_size=200))
def test_what_reaches_the_journal_is_one_printable_line_of_bounded_length(
    reason: str, operator: str
) -> None:
    try:
        fact = halt_of(HaltAsked(operator=operator, reason=reason), 1)
    except AskedRefused:
        fits = len(reason.strip()) <= REASON_CHARACTERS_MAX
        named = 0 < len(operator.strip()) <= OPERATOR_CHARACTERS_MAX
        plain = reason.strip().isprintable() and operator.strip().isprintable()
        assert not (fits and named and plain)
        return
    for text in (fact.operator, fact.reason):
        assert text.isprintable()
        assert text == text.strip()
    assert 0 < len(fact.operator) <= OPERATOR_CHARACTERS_MAX
    assert len(fact.reason) <= REASON_CHARACTERS_MAX


@pytest.mark.parametrize("level", list(HaltLevel))
def test_each_level_has_its_word(level: HaltLevel) -> None:
    fact = halt_of(HaltAsked(operator="Ada", reason="x", level=level.name.lower()), 4)
    assert (fact.level, fact.request, fact.scope) == (level, 4, "account")


def test_a_freeze_alone_needs_a_reason_because_it_ends_a_protection() -> None:
    for level in HaltLevel:
        asked = HaltAsked(operator="Ada", reason=" ", level=level.name.lower())
        if level is HaltLevel.FREEZE:
            with pytest.raises(AskedRefused, match="leaves them open: it needs a reason"):
                halt_of(asked, 1)
        else:
            assert halt_of(asked, 1).reason == ""


def test_a_halt_needs_a_name_and_a_known_level() -> None:
    with pytest.raises(AskedRefused, match="--operator NAME"):
        halt_of(HaltAsked(operator="  "), 1)
    with pytest.raises(AskedRefused, match="none of halt, flatten, kill, freeze"):
        halt_of(HaltAsked(operator="Ada", level="HALT"), 1)


@pytest.mark.parametrize("scope", ["account", "strategy:a", "symbol:BRK.B", "strategy:a:b"])
def test_scopes_are_known(scope: str) -> None:
    assert checked_scope(scope) == scope


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "Account",
        "account:x",
        "strategy",
        "strategy:",
        "dusk:a",
        "desk:",
        "symbol:\x1b[2J",
        "symbol:" + "x" * SCOPE_CHARACTERS_MAX,
    ],
)
def test_what_is_no_scope_is_refused_with_what_there_is(scope: str) -> None:
    with pytest.raises(AskedRefused, match="none of account, strategy:NAME, symbol:NAME"):
        checked_scope(scope)
    with pytest.raises(AskedRefused):
        reset_of(ResetAsked(operator="Ada", reason="why", scope=scope), 1)


@pytest.mark.parametrize("given", ["symbol:aapl", "symbol:AAPL ", "symbol: Aapl"])
def test_a_symbol_is_halted_and_reset_as_orders_write_it(given: str) -> None:
    assert checked_scope(given) == "symbol:AAPL"
    assert halt_of(HaltAsked(operator="Ada", scope=given), 1).scope == "symbol:AAPL"
    assert reset_of(ResetAsked(operator="Ada", reason="x", scope=given), 1).scope == "symbol:AAPL"


def test_what_no_order_names_is_not_made_a_symbol_that_one_does() -> None:
    assert checked_scope("symbol:maß") == "symbol:maß"
    assert checked_scope("strategy:alpha ") == "strategy:alpha ", "a key may have this name"
    with pytest.raises(AskedRefused):
        checked_scope("symbol:  ")
    with pytest.raises(AskedRefused):
        checked_scope("symbol:AAPL\n")


def test_the_halt_that_was_seen_is_a_number_that_a_halt_may_have() -> None:
    seen = reset_of(ResetAsked(operator="Ada", reason="x", seen_halt=7), 1)
    assert seen.seen_epoch == 7
    for wrong in (-1, 2**63):
        with pytest.raises(AskedRefused, match="halt_epoch"):
            reset_of(ResetAsked(operator="Ada", reason="x", seen_halt=wrong), 1)


def test_a_reset_is_the_kernels_to_refuse_but_its_words_are_bounded() -> None:
    fact = reset_of(ResetAsked(rebase=True), 9)
    assert (fact.operator, fact.reason, fact.rebase, fact.request) == ("", "", True, 9)
    with pytest.raises(AskedRefused, match="longer than 500"):
        reset_of(ResetAsked(operator="Ada", reason="x" * 501), 1)
    with pytest.raises(AskedRefused, match="cannot be printed"):
        reset_of(ResetAsked(operator="A\nda", reason="x"), 1)


def test_cash_is_an_exact_amount_with_a_name_and_a_why() -> None:
    fact = cash_of(CashAsked(operator="Ada", amount="-250.50", why="fees"), 3)
    assert (fact.amount_nanos, fact.why) == (-250_500_000_000, "Ada: fees")
    for amount in ("0", "-0.0", "1e5", "NaN", "1_000", "", "+5"):
        with pytest.raises(AskedRefused):
            cash_of(CashAsked(operator="Ada", amount=amount, why="x"), 1)
    for operator, why in (("", "x"), ("Ada", " ")):
        with pytest.raises(AskedRefused, match="your name and why"):
            cash_of(CashAsked(operator=operator, amount="5", why=why), 1)


def test_a_dividend_is_an_exact_rate_on_dates_of_new_york() -> None:
    asked = DividendAsked(
        operator="Ada",
        symbol="AAPL",
        rate="0.25",
        ex_date="2026-11-20",
        payable="2026-07-01",
        why="announced",
    )
    fact = dividend_of(asked, 3)
    assert (fact.symbol, fact.rate_nanos, fact.why) == ("AAPL", 250_000_000, "Ada: announced")
    begins = [datetime.fromtimestamp(at // NANOS, UTC) for at in (fact.ex_ns, fact.payable_ns)]
    assert [at.isoformat() for at in begins] == [
        "2026-11-20T05:00:00+00:00",
        "2026-07-01T04:00:00+00:00",
    ]
    for name, value, said in (
        ("rate", "-1", "a rate is what"),
        ("rate", "NaN", "plain decimal"),
        ("ex_date", "20.11.2026", "YYYY-MM-DD"),
        ("ex_date", "9999-12-31", "of these days"),
        ("payable", "", "YYYY-MM-DD"),
        ("operator", "", "your name and why"),
        ("why", " ", "your name and why"),
        ("symbol", "", "needs a symbol"),
    ):
        with pytest.raises(AskedRefused, match=said):
            dividend_of(msgspec.structs.replace(asked, **{name: value}), 1)


def test_only_the_canonical_text_of_a_policy_reaches_the_journal() -> None:
    text = canonical_text(Policy())
    asked = PolicyAsked(text=text, digest=digest_of(text), operator=" Ada ", reason="x")
    fact = policy_of(asked, 3)
    assert (fact.text, fact.operator, fact.reason, fact.request) == (text, "Ada", "x", 3)
    twice = text.replace('{"name":"default"', '{"name":"hidden","name":"default"', 1)
    for other in (text + " ", "{}", "[]", "no", twice):
        with pytest.raises(AskedRefused, match=r"canonical|no policy"):
            policy_of(PolicyAsked(text=other, digest=digest_of(other)), 3)
    with pytest.raises(AskedRefused, match="one line"):
        policy_of(PolicyAsked(text=text, digest=digest_of(text), operator="a\nb"), 3)
