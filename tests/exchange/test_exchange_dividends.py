"""Dividends of the simulated exchange: announced in Alpaca's shape, paid to who held before."""

import warnings
from datetime import date
from pathlib import Path

import pytest

from fuseboard.cli import main
from fuseboard.exchange.dividends import CORPORATE_ACTIONS, Dividends, dividend_of_text
from fuseboard.vocabulary.money import NANOS
from tests.exchange.serving import served

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy.
    from alpaca.data.enums import CorporateActionsType
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.models.corporate_actions import CashDividend, CorporateActionsSet
    from alpaca.data.requests import CorporateActionsRequest

MADE = tuple(
    dividend_of_text(text)
    for text in ("AAPL:0.25:2010-05-07:2010-05-12", "IBM:0.65:2010-05-10:2010-06-10")
)


def test_what_is_set_up_is_announced_as_alpacas_own_client_reads_it(tmp_path: Path) -> None:
    with served(tmp_path, dividends=MADE) as exchange:
        client = CorporateActionsClient("PKTEST", "secret", url_override=exchange.url)
        asked = CorporateActionsRequest(
            symbols=["AAPL", "IBM"],
            types=[CorporateActionsType.CASH_DIVIDEND],
            start=date(2010, 5, 6),
            end=date(2010, 6, 30),
        )
        answered = client.get_corporate_actions(asked)
        assert isinstance(answered, CorporateActionsSet)
        listed = answered.data["cash_dividends"]
        told = [each for each in listed if isinstance(each, CashDividend)]
        assert len(told) == len(listed)
        assert [(at.symbol, at.rate, at.ex_date, at.payable_date) for at in told] == [
            ("AAPL", 0.25, date(2010, 5, 7), date(2010, 5, 12)),
            ("IBM", 0.65, date(2010, 5, 10), date(2010, 6, 10)),
        ]
        found = []
        token = ""
        for _ in MADE:
            dates = "start=2010-05-06&end=2010-06-30"
            answer = exchange.get(f"{CORPORATE_ACTIONS}?{dates}&limit=1{token}")
            found += answer["corporate_actions"]["cash_dividends"]
            token = f"&page_token={answer['next_page_token']}"
        assert [each["symbol"] for each in found] == ["AAPL", "IBM"]
        assert token == "&page_token=None"
        assert exchange.get(CORPORATE_ACTIONS)["corporate_actions"] == {}, "today alone, unasked"
        assert exchange.call("GET", f"{CORPORATE_ACTIONS}?limit=x").status_code == 400
        assert exchange.call("POST", CORPORATE_ACTIONS).status_code == 404


@pytest.mark.parametrize(("held", "paid"), [(100, 25), (-100, -25), (0, 0)])
def test_who_held_before_the_ex_date_is_paid_and_a_short_position_pays(
    held: int, paid: int
) -> None:
    position = held * NANOS
    moved: list[tuple[int, str]] = []
    made = Dividends(
        MADE[:1],
        held=lambda _symbol: position,
        pay=lambda amount_nanos, symbol: moved.append((amount_nanos, symbol)),
    )
    ex_ns, payable_ns = 1_273_204_800 * NANOS, 1_273_636_800 * NANOS
    assert made.next_due_ns() == ex_ns, "midnight in New York"
    made.advance(ex_ns - 1)
    made.advance(ex_ns)
    position = 0  # sold on the ex-date: it is paid still
    made.advance(payable_ns - 1)
    assert moved == []
    made.advance(payable_ns)
    made.advance(payable_ns + 1)
    assert moved == ([(paid * NANOS, "AAPL")] if paid else [])
    assert made.next_due_ns() is None


@pytest.mark.parametrize(
    "text", ["", "AAPL:1:2010-05-07", "AAPL:x:2010-05-07:2010-05-07", ":1:2010-05-07:2010-05-07",
             "AAPL:0:2010-05-07:2010-05-07", "AAPL:1:2010-05-07:2010-05-06", "AAPL:1:soon:late"],
)  # fmt: skip
def test_what_is_no_dividend_is_refused_with_what_one_looks_like(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["exchange", "--dividend", text])
    said = capsys.readouterr().err
    assert "SYMBOL:RATE:EX-DATE" in said or "a rate above 0" in said
