"""Watchlists as alpaca-py keeps them: each strategy its own, there again after a restart."""

import asyncio
import uuid
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from fuseboard.gateway import watchlists as module
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.watchlists import Watchlists
from tests.gateway.calls import asked, running_here
from tests.gateway.scripted import Answer, Gateway, RunningGateway, running

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy.
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import (
        CreateWatchlistRequest as Created,
    )
    from alpaca.trading.requests import (
        UpdateWatchlistRequest as Updated,
    )


def _run(
    test: Callable[[Gateway], Awaitable[None]],
    file: Path | None = None,
    limits: GatewayLimits | None = None,
) -> None:
    async def run() -> None:
        async with running_here(limits, watchlists=Watchlists(file)) as gateway:
            await test(gateway)

    asyncio.run(run())


def _client(gateway: RunningGateway, key: tuple[str, str]) -> Any:
    return TradingClient(*key, url_override=gateway.url)


def _symbols(watchlist: Any) -> list[str]:
    return [asset.symbol for asset in watchlist.assets]


def test_a_watchlist_lives_its_life_in_alpaca_py() -> None:
    with running() as gateway:
        client = _client(gateway, gateway.one)
        made = client.create_watchlist(Created(name="tech", symbols=["AAPL"]))
        assert (made.name, _symbols(made)) == ("tech", ["AAPL"])
        assert [each.id for each in client.get_watchlists()] == [made.id]
        more = client.add_asset_to_watchlist_by_id(made.id, "MSFT")
        assert _symbols(more) == ["AAPL", "MSFT"]
        again = client.add_asset_to_watchlist_by_id(made.id, "msft")
        assert _symbols(again) == ["AAPL", "MSFT"], "each once"
        renamed = client.update_watchlist_by_id(made.id, Updated(name="big"))
        assert (renamed.name, _symbols(renamed)) == ("big", ["AAPL", "MSFT"])
        replaced = client.update_watchlist_by_id(made.id, Updated(symbols=["MSFT"]))
        assert (replaced.name, _symbols(replaced)) == ("big", ["MSFT"])
        assert replaced.created_at == made.created_at <= replaced.updated_at
        less = client.remove_asset_from_watchlist_by_id(made.id, "MSFT")
        assert _symbols(less) == _symbols(client.get_watchlist_by_id(made.id)) == []
        client.delete_watchlist_by_id(made.id)
        assert client.get_watchlists() == []
        with pytest.raises(APIError) as gone:
            client.get_watchlist_by_id(made.id)
        assert gone.value.status_code == 404


def test_a_strategy_neither_sees_nor_changes_the_lists_of_another() -> None:
    with running() as gateway:
        mine, other = _client(gateway, gateway.one), _client(gateway, gateway.two)
        made = mine.create_watchlist(Created(name="tech", symbols=["AAPL"]))
        assert other.get_watchlists() == []
        forbidden: list[Callable[[], Any]] = [
            lambda: other.get_watchlist_by_id(made.id),
            lambda: other.update_watchlist_by_id(made.id, Updated(name="x")),
            lambda: other.add_asset_to_watchlist_by_id(made.id, "MSFT"),
            lambda: other.remove_asset_from_watchlist_by_id(made.id, "AAPL"),
            lambda: other.delete_watchlist_by_id(made.id),
        ]
        for each in forbidden:
            with pytest.raises(APIError) as refused:
                each()
            assert refused.value.status_code == 404
        assert other.create_watchlist(Created(name="tech", symbols=[])).id != made.id
        assert _symbols(mine.get_watchlist_by_id(made.id)) == ["AAPL"]


def test_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "watchlists.json"

    async def make(gateway: Gateway) -> None:
        body = b'{"name":"tech","symbols":["AAPL","MSFT"]}'
        assert (await asked(gateway, "POST", "/v2/watchlists", body)).status == 200

    async def read(gateway: Gateway) -> None:
        named = await asked(gateway, "GET", "/v2/watchlists:by_name?name=tech")
        assert [each["symbol"] for each in named.object()["assets"]] == ["AAPL", "MSFT"]

    _run(make, file)
    assert file.stat().st_mode & 0o077 == 0
    _run(read, file)


def test_a_damaged_file_is_said_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "watchlists.json"
    file.write_bytes(b'{"version":1,"lists":[{}]}')

    async def test(gateway: Gateway) -> None:
        for method, body in (("GET", b""), ("POST", b'{"name":"tech"}')):
            answer = await asked(gateway, method, "/v2/watchlists", body)
            assert answer.status == 503
            assert str(file) in answer.object()["message"]
        assert (await asked(gateway, "GET", "/v2/orders")).status == 200

    _run(test, file)
    assert file.read_bytes() == b'{"version":1,"lists":[{}]}'


def test_a_change_that_cannot_be_written_is_refused_and_not_shown(tmp_path: Path) -> None:
    async def test(gateway: Gateway) -> None:
        assert (await asked(gateway, "POST", "/v2/watchlists", b'{"name":"a"}')).status == 503
        assert (await asked(gateway, "GET", "/v2/watchlists")).list() == []

    _run(test, tmp_path / "absent" / "watchlists.json")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b'{"name":5}', 422),
        (b'{"symbols":["AAPL"]}', 422),
        (b'{"name":" "}', 422),
        (b'{"name":"%s"}' % (b"x" * 65), 422),
        (b'{"name":"taken"}', 422),
        (b'{"name":"n","symbols":["AAPL/../../x"]}', 404),
        (b'{"name":"n","symbols":["a b"]}', 422),
        (b'{"name":"n","symbols":["AAPL","NOSUCH"]}', 404),
        (json.encode({"name": "n", "symbols": ["AAPL"] * 201}), 422),
    ],
)
def test_a_list_that_cannot_be_made_is_refused_and_leaves_nothing(body: bytes, status: int) -> None:
    async def test(gateway: Gateway) -> None:
        assert (await asked(gateway, "POST", "/v2/watchlists", b'{"name":"taken"}')).status == 200
        answer = await asked(gateway, "POST", "/v2/watchlists", body)
        assert answer.status == status, answer.object()
        assert len((await asked(gateway, "GET", "/v2/watchlists")).list()) == 1

    _run(test)


def test_a_rename_to_a_name_that_is_taken_is_refused() -> None:
    async def test(gateway: Gateway) -> None:
        for name in ("a", "b"):
            made = await asked(gateway, "POST", "/v2/watchlists", json.encode({"name": name}))
        target = f"/v2/watchlists/{made.object()['id']}"
        refused = await asked(gateway, "PUT", target, b'{"name":"a"}')
        assert (refused.status, refused.object()["message"]) == (
            422,
            "watchlist name must be unique",
        )
        assert (await asked(gateway, "PUT", target, b'{"name":"b"}')).status == 200

    _run(test)


def test_lists_and_changes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LISTS_OF_A_STRATEGY_MAX", 2)

    async def test(gateway: Gateway) -> None:
        statuses = []
        for number in range(5):
            body = json.encode({"name": f"{number}"})
            statuses.append((await asked(gateway, "POST", "/v2/watchlists", body)).status)
        assert statuses == [200, 200, 422, 422, 429]
        other = await asked(gateway, "POST", "/v2/watchlists", b'{"name":"a"}', key=gateway.two)
        assert other.status == 200
        assert (await asked(gateway, "GET", "/v2/watchlists")).status == 200

    _run(test, limits=GatewayLimits(watchlist_changes_a_minute_max=16))


def test_many_symbols_are_learned_by_one_read_and_an_unread_one_is_said() -> None:
    symbols = [f"S{number}" for number in range(30)]
    body = json.encode({"name": "many", "symbols": symbols})

    async def test(gateway: Gateway) -> None:
        gateway.broker.unavailable = True
        refused = await asked(gateway, "POST", "/v2/watchlists", b'{"name":"n","symbols":["AAPL"]}')
        assert refused.status == 503
        assert (await asked(gateway, "GET", "/v2/watchlists")).list() == [], "nothing was made"
        gateway.broker.unavailable = False
        gateway.broker.asked.clear()
        template = json.decode(gateway.broker.answers["/v2/assets/AAPL"].body)
        listed = [
            {**template, "symbol": symbol, "id": str(uuid.uuid5(uuid.NAMESPACE_OID, symbol))}
            for symbol in [*symbols, "OTHER"]
        ]
        gateway.broker.answers["/v2/assets?status=active"] = Answer(200, json.encode(listed))
        made = await asked(gateway, "POST", "/v2/watchlists", body)
        assert [each["symbol"] for each in made.object()["assets"]] == symbols
        assert gateway.broker.asked == [("GET", "/v2/assets?status=active")]

    _run(test)
