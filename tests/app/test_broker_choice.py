"""Which broker is chosen, where a key may go, and that no secret is ever said."""

from pathlib import Path

import pytest

from fuseboard.app import broker_choice
from fuseboard.app.broker_choice import (
    DATA_STREAM_URL,
    DATA_URL,
    LIVE_WORDS,
    PAPER_URL,
    BrokerKeys,
    account_of,
    alpaca_keys,
    has_keys,
    simulated_keys,
)
from fuseboard.control.settings import settings
from fuseboard.control.state_directory import StateDirectory, StateRefused
from tests.app.command_line import CommandLine, without_variables

KEYS = {"ALPACA_API_KEY": "PK1", "ALPACA_SECRET_KEY": "very-secret"}
LIVE = {**KEYS, "ALPACA_BASE_URL": "https://api.alpaca.markets"}


def test_a_system_that_does_not_say_who_trades_an_account_is_quoted_and_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(_name: str) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(broker_choice, "take_account", refused)
    with pytest.raises(StateRefused, match=r"cannot be known, .*: \[Errno 24\] Too many open"):
        account_of(chosen(), StateDirectory(tmp_path))


def nobody(_question: str) -> str:
    raise AssertionError("nobody is to be asked")


def chosen(base_url: str | None = None, *, live: bool = False, **more: str) -> BrokerKeys:
    named = {} if base_url is None else {"ALPACA_BASE_URL": base_url}
    return alpaca_keys({**KEYS, **named, **more}, live=live, ask=nobody)


def test_paper_is_the_default_and_its_data_is_alpacas() -> None:
    keys = chosen()
    assert (keys.base_url, keys.data_url, keys.data_stream_url) == (
        PAPER_URL,
        DATA_URL,
        DATA_STREAM_URL,
    )
    assert (keys.key_id, keys.secret) == ("PK1", "very-secret")
    assert chosen(f"{PAPER_URL}/v2/").base_url == PAPER_URL, "both forms are in use"


@pytest.mark.parametrize(
    ("base_url", "stream"),
    [
        ("http://127.0.0.1:8400", "ws://127.0.0.1:8400/v2/iex"),
        ("http://localhost:1/", "ws://localhost:1/v2/iex"),
        ("https://[::1]:1", "wss://[::1]:1/v2/iex"),
    ],
)
def test_an_exchange_on_this_machine_has_its_data_there(base_url: str, stream: str) -> None:
    keys = chosen(base_url)
    assert (keys.data_url, keys.data_stream_url) == (base_url.rstrip("/"), stream)
    elsewhere = chosen(base_url, ALPACA_DATA_URL="http://d", ALPACA_DATA_STREAM_URL="ws://s")
    assert (elsewhere.data_url, elsewhere.data_stream_url) == ("http://d", "ws://s")


@pytest.mark.parametrize(
    "base_url",
    [
        "paper-api.alpaca.markets",
        "ftp://paper-api.alpaca.markets",
        "https://",
        "https://user@paper-api.alpaca.markets",
        "https://paper-api.alpaca.markets?x=1",
        "http://paper-api.alpaca.markets",
        "http://api.alpaca.markets",
    ],
)
def test_a_key_goes_only_to_an_address_that_can_be_trusted(base_url: str) -> None:
    for live in (False, True):
        with pytest.raises(StateRefused, match="ALPACA_BASE_URL"):
            chosen(base_url, live=live)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.alpaca.markets",
        "https://paper-api.alpaca.markets.evil.example",
        "https://[::2]",
    ],
)
def test_everything_that_is_not_paper_or_here_is_live(base_url: str) -> None:
    with pytest.raises(StateRefused, match="live account: it needs --live"):
        chosen(base_url)


def test_a_live_account_is_confirmed_word_by_word() -> None:
    asked: list[str] = []

    def typing(answer: str) -> BrokerKeys:
        def ask(question: str) -> str:
            asked.append(question)
            return answer

        return alpaca_keys(LIVE, live=True, ask=ask)

    assert typing(f" {LIVE_WORDS} ").base_url == "https://api.alpaca.markets"
    assert "https://api.alpaca.markets is a live account" in asked[0]
    for answer in ("", "y", "yes", LIVE_WORDS.upper()):
        with pytest.raises(StateRefused, match="nothing was started"):
            typing(answer)

    def nothing_there(_question: str) -> str:
        raise EOFError

    with pytest.raises(StateRefused, match="nothing was started"):
        alpaca_keys(LIVE, live=True, ask=nothing_there)


def test_live_with_the_paper_account_is_a_mistake_that_is_said() -> None:
    with pytest.raises(StateRefused, match="--live with the paper account"):
        chosen(live=True)


def test_half_a_key_pair_never_ends_on_the_simulated_exchange_by_accident() -> None:
    for name in KEYS:
        with pytest.raises(StateRefused, match=f"{name} is set and .* is not"):
            has_keys({name: "x"})
    assert not has_keys({})
    assert has_keys(KEYS)
    with pytest.raises(StateRefused, match="needs ALPACA_API_KEY and ALPACA_SECRET_KEY"):
        alpaca_keys({}, live=False, ask=nobody)


def test_the_environment_stands_over_the_file_and_empty_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_variables(monkeypatch)
    file = tmp_path / ".env"
    file.write_text("ALPACA_API_KEY=file\nALPACA_SECRET_KEY='a$b${HOME}c'\nALPACA_BASE_URL=\n")
    monkeypatch.setenv("ALPACA_API_KEY", "environment")
    monkeypatch.setenv("ALPACA_DATA_URL", "")
    found = settings(file)
    assert found["ALPACA_API_KEY"] == "environment"
    assert found["ALPACA_SECRET_KEY"] == "a$b${HOME}c", "a secret is never expanded"
    assert "ALPACA_BASE_URL" not in found
    assert "ALPACA_DATA_URL" not in found
    assert "ALPACA_SECRET_KEY" not in settings(tmp_path / "absent")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StateRefused, match="no text file"):
        settings(file)


def test_no_secret_is_ever_shown() -> None:
    for keys in (chosen(), simulated_keys("http://127.0.0.1:1")):
        assert keys.secret not in repr(keys)
        assert keys.secret not in str([keys])


def test_the_command_says_what_is_missing_and_starts_nothing(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fuseboard.on_state("init").code == 0
    run = ("run", "--state", fuseboard.state)
    assert "needs ALPACA_API_KEY" in fuseboard.refused(*run, "--broker", "alpaca")
    assert "--live needs --broker alpaca" in fuseboard.refused(*run, "--live")
    (fuseboard.folder / ".env").write_text("ALPACA_API_KEY=PK1\n")
    assert "ALPACA_SECRET_KEY is not" in fuseboard.refused(*run)
    monkeypatch.setenv("ALPACA_SECRET_KEY", "very-secret")
    monkeypatch.setenv("ALPACA_BASE_URL", "https://api.alpaca.markets")
    said = fuseboard.refused(*run)
    assert "it needs --live" in said
    assert "very-secret" not in said
    assert not (fuseboard.state / "exchange.json").exists()
