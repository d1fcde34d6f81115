"""Which broker a node speaks to, and with which key: from the environment, `.env`, or simulated."""

import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.exchange.starter import DEFAULT_KEY_PAIRS
from fuseboard.halts.account_lock import AccountTaken, account_name, take_account

PAPER_URL: Final = "https://paper-api.alpaca.markets"
DATA_URL: Final = "https://data.alpaca.markets"
DATA_STREAM_URL: Final = "wss://stream.data.alpaca.markets/v2/iex"
LIVE_WORDS: Final = "trade real money"
_PAPER_HOST: Final = "paper-api.alpaca.markets"
_OWN_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
_KEY_NAMES: Final = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")


class BrokerKeys(Struct, frozen=True, kw_only=True):
    """One account at one Alpaca-compatible broker; its key is never shown."""

    base_url: str
    data_url: str
    data_stream_url: str
    key_id: str
    secret: str
    real_time: bool = True
    """Whether its market data is of the present; a tape's times tell nothing of delay."""

    def __repr__(self) -> str:
        return f"BrokerKeys(base_url={self.base_url!r})"


def has_keys(environment: dict[str, str]) -> bool:
    """Whether an Alpaca key pair is set. Raises `StateRefused` for half of one."""
    found = [name for name in _KEY_NAMES if environment.get(name)]
    if len(found) == 1:
        (missing,) = [name for name in _KEY_NAMES if name not in found]
        raise StateRefused(
            f"{found[0]} is set and {missing} is not: set both, or neither for the simulated"
            " exchange"
        )
    return bool(found)


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
    keys = keys_at(environment.get("ALPACA_BASE_URL", PAPER_URL), environment)
    host = urlsplit(keys.base_url).hostname
    if host not in {_PAPER_HOST, *_OWN_HOSTS}:
        _confirm_live(keys.base_url, live=live, ask=ask)
    elif live and host == _PAPER_HOST:
        raise StateRefused(f"--live with the paper account {keys.base_url}: set ALPACA_BASE_URL")
    return keys


def keys_at(base_url: str, environment: dict[str, str]) -> BrokerKeys:
    """The key that the environment has, for an address to which it may be sent.

    Raises `StateRefused` for any other address.
    """
    base_url = base_url.rstrip("/").removesuffix("/v2")
    own_host = _checked_host(base_url) in _OWN_HOSTS
    return BrokerKeys(
        base_url=base_url,
        data_url=environment.get("ALPACA_DATA_URL", base_url if own_host else DATA_URL),
        data_stream_url=environment.get(
            "ALPACA_DATA_STREAM_URL", _stream_of(base_url) if own_host else DATA_STREAM_URL
        ),
        key_id=environment["ALPACA_API_KEY"],
        secret=environment["ALPACA_SECRET_KEY"],
        real_time=not own_host,
    )


def _checked_host(base_url: str) -> str:
    """The host of a base URL to which a key may be sent: by https, or on this machine."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    sound = parts.scheme in {"http", "https"} and host and not parts.query and not parts.username
    if not sound:
        raise StateRefused(f"ALPACA_BASE_URL {base_url!r} is no address such as {PAPER_URL}")
    if parts.scheme == "http" and host not in _OWN_HOSTS:
        raise StateRefused(
            f"ALPACA_BASE_URL {base_url!r} would send the key unencrypted: use https"
        )
    return host


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
        data_stream_url=_stream_of(base_url),
        key_id=key_id,
        secret=secret,
        real_time=False,
    )


def account_of(broker: BrokerKeys, state: StateDirectory) -> socket.socket:
    """Become the one gateway of this machine that trades the account, until the socket is closed.

    Raises `StateRefused` when another one does, or when the system does not let it be known.
    """
    try:
        return take_account(account_name(broker.base_url, broker.key_id))
    except AccountTaken as taken:
        who = f"process {taken.pid}" if taken.pid else "another process"
        raise StateRefused(
            f"{who} on this machine trades this account at {broker.base_url} already, with another"
            f" state directory than {state.path}: two gateways would not know of each other's"
            f" orders. Stop that one first (`ps -fp {taken.pid or 'PID'}`), or use another account"
        ) from taken
    except OSError as error:
        raise StateRefused(
            f"whether another gateway on this machine trades this account at {broker.base_url}"
            f" cannot be known, so nothing is started: {error}"
        ) from error


def _stream_of(base_url: str) -> str:
    return "ws" + base_url.removeprefix("http") + "/v2/iex"
