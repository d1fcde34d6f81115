"""Which broker a node speaks to, and with which key: from the environment, `.env`, or simulated."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values
from msgspec import Struct

from fuseboard.control.state_directory import StateRefused
from fuseboard.exchange.process import DEFAULT_KEY_PAIRS

PAPER_URL: Final = "https://paper-api.alpaca.markets"
DATA_URL: Final = "https://data.alpaca.markets"
DATA_STREAM_URL: Final = "wss://stream.data.alpaca.markets/v2/iex"
LIVE_WORDS: Final = "trade real money"
_PRACTICE_HOSTS: Final = ("paper-api.alpaca.markets", "127.0.0.1", "localhost")


class BrokerKeys(Struct, frozen=True, kw_only=True):
    """One account at one Alpaca-compatible broker."""

    base_url: str
    data_url: str
    data_stream_url: str
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"BrokerKeys(base_url={self.base_url!r})"


def settings() -> dict[str, str]:
    """The environment over the `.env` file of the working directory."""
    stored = {key: value for key, value in dotenv_values(Path(".env")).items() if value}
    return {**stored, **{key: value for key, value in os.environ.items() if value}}


def has_keys(environment: dict[str, str]) -> bool:
    """Whether an Alpaca key pair is set."""
    return bool(environment.get("ALPACA_API_KEY") and environment.get("ALPACA_SECRET_KEY"))


def alpaca_keys(
    environment: dict[str, str], *, live: bool, ask: Callable[[str], str]
) -> BrokerKeys:
    """Alpaca's address and key. Raises `StateRefused` without a key, or for an unconfirmed live
    account: `--live` must be given and the confirmation typed.
    """
    if not has_keys(environment):
        raise StateRefused(
            "--broker alpaca needs ALPACA_API_KEY and ALPACA_SECRET_KEY in the environment or in"
            " .env (see .env.example)"
        )
    base_url = environment.get("ALPACA_BASE_URL", PAPER_URL).rstrip("/")
    host = urlsplit(base_url).hostname or ""
    if host not in _PRACTICE_HOSTS:
        _confirm_live(base_url, live=live, ask=ask)
    elif live and host == _PRACTICE_HOSTS[0]:
        raise StateRefused(f"--live with the paper account {base_url}: set ALPACA_BASE_URL")
    own_host = host in _PRACTICE_HOSTS[1:]
    stream = "ws" + base_url.removeprefix("http") + "/v2/iex"
    return BrokerKeys(
        base_url=base_url,
        data_url=environment.get("ALPACA_DATA_URL", base_url if own_host else DATA_URL),
        data_stream_url=environment.get(
            "ALPACA_DATA_STREAM_URL", stream if own_host else DATA_STREAM_URL
        ),
        key_id=environment["ALPACA_API_KEY"],
        secret=environment["ALPACA_SECRET_KEY"],
    )


def _confirm_live(base_url: str, *, live: bool, ask: Callable[[str], str]) -> None:
    if not live:
        raise StateRefused(f"{base_url} is a live account: it needs --live")
    try:
        typed = ask(f"{base_url} is a live account. Type '{LIVE_WORDS}' to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() != LIVE_WORDS:
        raise StateRefused("the live account was not confirmed: nothing was started")


def simulated_keys(base_url: str) -> BrokerKeys:
    """The simulated exchange's account."""
    key_id, secret = next(iter(DEFAULT_KEY_PAIRS.items()))
    return BrokerKeys(
        base_url=base_url,
        data_url=base_url,
        data_stream_url="ws" + base_url.removeprefix("http") + "/v2/iex",
        key_id=key_id,
        secret=secret,
    )
