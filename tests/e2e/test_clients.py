"""Clients that nobody here wrote, through the real gateway in front of the real exchange."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.processes import Bot, Gateway, Running, World, accepted, environment, until

HERE = Path(__file__).parent


class Listener(Running):
    """alpaca-py's streams in a process of their own."""

    def __init__(self, folder: Path, url: str, pair: tuple[str, str], *symbols: str) -> None:
        super().__init__(
            folder, "listener", sys.executable, HERE / "listener.py", *symbols,
            APCA_API_KEY_ID=pair[0], APCA_API_SECRET_KEY=pair[1], APCA_API_BASE_URL=url,
        )  # fmt: skip

    def heard(self, stream: str, **fields: Any) -> list[dict[str, Any]]:
        """What it has told so far of a stream."""
        found = []
        for line in self.output().splitlines():
            if line.startswith("{"):
                told = json.loads(line)
                if told["stream"] == stream and fields.items() <= told.items():
                    found.append(told)
        return found

    def hears(self, stream: str, **fields: Any) -> dict[str, Any]:
        def looked() -> dict[str, Any] | None:
            self.must_run()
            return next(iter(self.heard(stream, **fields)), None)

        return until(looked, f"{stream} with {fields}")


def test_alpaca_py_hears_its_own_orders_and_the_market(here: World) -> None:
    here.init("name: streams\n")
    exchange = here.exchange(tape="normal", speed=5)
    gateway = here.open_gateway(exchange.url)
    pair = here.key("listening")
    listener = here.kept(Listener(here.folder, gateway.url, pair, "AAPL"))
    bot = here.bot_with(gateway.url, *pair)
    other = here.bot(gateway.url, "other")
    exchange.start()
    quote = listener.hears("quotes", symbol="AAPL")
    assert 0 < quote["bid"] < quote["ask"]
    listener.hears("trades", symbol="AAPL")

    connected(gateway, listener, bot)
    accepted(bot.buy("AAPL", 3, client_order_id="mine"))
    filled = listener.hears("trade_updates", event="fill", client_order_id="mine")
    assert filled["filled"] == "3"
    assert filled["price"] > 0
    assert listener.hears("trade_updates", event="new", client_order_id="mine")
    accepted(other.buy("AAPL", 1, client_order_id="theirs"))
    resting = bot.buy_limit("AAPL", 1, 100)["value"]["client_order_id"]
    listener.hears("trade_updates", event="new", client_order_id=resting)
    assert here.person("halt", "--reason", "enough").returncode == 0
    listener.hears("trade_updates", event="canceled", client_order_id=resting)
    assert not listener.heard("trade_updates", client_order_id="theirs")
    fills = listener.heard("trade_updates", event="fill", client_order_id="mine")
    assert len(fills) == 1
    assert gateway.stop() == 0


def connected(gateway: Gateway, listener: Listener, bot: Bot) -> None:
    """The stream has no replay: try one order after another until one is heard."""

    def one_is_heard() -> bool:
        gateway.must_run()
        accepted(bot.buy("TSLA", 1))
        return bool(listener.heard("trade_updates"))

    until(one_is_heard, "the trade stream listens")


def test_the_older_library_trades_by_environment_alone(here: World, legacy_python: Path) -> None:
    here.init("name: legacy\n")
    exchange = here.exchange(tape="normal")
    gateway = here.open_gateway(exchange.url)
    exchange.start()
    key_id, secret = here.key("old")
    variables = environment(
        APCA_API_BASE_URL=gateway.url, APCA_API_DATA_URL=gateway.url,
        APCA_API_KEY_ID=key_id, APCA_API_SECRET_KEY=secret,
    )  # fmt: skip
    variables.pop("PYTHONPATH", None)
    done = subprocess.run(
        [legacy_python, HERE / "legacy_bot.py"],
        env=variables, cwd=os.sep, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["account"] == "ACTIVE"
    assert told["listed"] == ["old-1"]
    assert told["open"] == [True]
    assert told["asset"] is True
    assert told["quote"] > 0
    assert told["refused"]["status"] == 403
    assert told["refused"]["code"] == 40310000
    assert "orders are rejected by user request" in told["refused"]["message"]
    until(lambda: exchange.positions() == {"AAPL": "2"}, "the exchange has what it bought")
    until(lambda: exchange.state()["working_orders"] == 0, "its cancel arrived")
    assert gateway.stop() == 0
    here.evidence_is_clean()
