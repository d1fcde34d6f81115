"""A bot with a hard-wired URL and key talks to us, unchanged; its own key goes nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuseboard.runtime.launcher import REDIRECT, strategy_environment
from tests.launcher.stub import Stub, running

KEY, SECRET = "PKOURSOURSOURSOURSOU", "our-secret"
ITS_KEY, ITS_SECRET = "PKITSOWNITSOWNITSOWN", "its-own-secret"


def run_bot(
    stub: Stub, code: str, *, python: str | Path = sys.executable, **more: str
) -> subprocess.CompletedProcess[str]:
    inherited = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **more}
    environment = strategy_environment(inherited, url=stub.url, key_id=KEY, secret=SECRET)
    return subprocess.run(
        [python, "-c", code],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def assert_only_our_key_arrived(stub: Stub) -> None:
    assert stub.arrived
    for request in stub.arrived:
        seen = f"{request.path} {request.headers}"
        assert ITS_KEY not in seen
        assert ITS_SECRET not in seen


REST_BOT = f"""
from alpaca.trading.client import TradingClient
client = TradingClient("{ITS_KEY}", "{ITS_SECRET}", paper=True)
print(client.get_account().cash)
"""


def test_a_bot_with_a_hard_wired_paper_url_and_key_reaches_us_with_our_key() -> None:
    with running() as stub:
        done = run_bot(stub, REST_BOT)
        assert done.stdout == "12345.67\n", done.stderr
        (request,) = stub.arrived
        assert (request.method, request.path) == ("GET", "/v2/account")
        assert request.headers["apca-api-key-id"] == KEY
        assert request.headers["apca-api-secret-key"] == SECRET
        assert_only_our_key_arrived(stub)


def test_a_live_client_an_oauth_token_and_a_basic_auth_client_are_redirected_too() -> None:
    code = f"""
from alpaca.trading.client import TradingClient
from alpaca.data.historical import StockHistoricalDataClient
TradingClient("{ITS_KEY}", "{ITS_SECRET}", paper=False).get_account()
TradingClient(oauth_token="{ITS_SECRET}").get_account()
TradingClient("{ITS_KEY}", "{ITS_SECRET}", url_override="http://192.0.2.1").get_account()
data = StockHistoricalDataClient("{ITS_KEY}", "{ITS_SECRET}", use_basic_auth=True)
data.get("/stocks/quotes/latest")
"""
    with running() as stub:
        done = run_bot(stub, code)
        assert done.returncode == 0, done.stderr
        assert [request.path for request in stub.arrived] == [
            "/v2/account",
            "/v2/account",
            "/v2/account",
            "/v2/stocks/quotes/latest",
        ]
        assert_only_our_key_arrived(stub)
        assert "authorization" not in stub.arrived[1].headers


STREAM_BOTS = {
    "/stream": f"""
from alpaca.trading.stream import TradingStream
stream = TradingStream("{ITS_KEY}", "{ITS_SECRET}", paper=True)
""",
    "/v2/iex": f"""
from alpaca.data.live import StockDataStream
stream = StockDataStream("{ITS_KEY}", "{ITS_SECRET}")
""",
    "/v2/sip": f"""
from alpaca.data.live import StockDataStream
from alpaca.data.enums import DataFeed
stream = StockDataStream("{ITS_KEY}", "{ITS_SECRET}", feed=DataFeed.SIP)
""",
    "/v1beta3/crypto/us": f"""
from alpaca.data.live import CryptoDataStream
stream = CryptoDataStream("{ITS_KEY}", "{ITS_SECRET}")
""",
}
CONNECT = """
import asyncio
assert (stream._api_key, stream._secret_key) == (%r, %r)
try:
    asyncio.run(stream._connect())
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("path", STREAM_BOTS)
def test_a_stream_comes_to_us_on_its_own_path_with_our_key(path: str) -> None:
    with running() as stub:
        done = run_bot(stub, STREAM_BOTS[path] + CONNECT % (KEY, SECRET))
        assert done.stdout.strip() == "InvalidStatusCode", done.stderr
        assert [request.path for request in stub.arrived] == [path]
        assert stub.arrived[0].headers["upgrade"] == "websocket"
        assert_only_our_key_arrived(stub)


def test_the_older_library_is_redirected_by_environment_and_when_hard_wired(
    legacy_python: Path,
) -> None:
    code = f"""
import alpaca_trade_api
from alpaca_trade_api.stream import Stream
alpaca_trade_api.REST().get_account()
alpaca_trade_api.REST("{ITS_KEY}", "{ITS_SECRET}", "https://192.0.2.1").get_account()
stream = Stream("{ITS_KEY}", "{ITS_SECRET}", base_url="https://192.0.2.1", data_feed="sip")
print(stream._trading_ws._endpoint, stream._data_ws._endpoint, stream._key_id)
"""
    with running() as stub:
        done = run_bot(stub, code, python=legacy_python)
        address = stub.url.removeprefix("http")
        assert done.stdout == f"ws{address}/stream/ ws{address}/v2/sip {KEY}\n", done.stderr
        assert [request.headers["apca-api-key-id"] for request in stub.arrived] == [KEY, KEY]
        assert_only_our_key_arrived(stub)


def test_another_sitecustomize_on_the_path_is_run_as_well(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.seen = __name__\n")
    with running() as stub:
        code = REST_BOT + "import builtins; print(builtins.seen)"
        done = run_bot(stub, code, PYTHONPATH=str(tmp_path))
        assert done.stdout == "12345.67\nsitecustomize\n", done.stderr


def test_a_python_that_the_bot_starts_is_redirected_too() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {REST_BOT!r}])"
    with running() as stub:
        assert run_bot(stub, code).stdout == "12345.67\n"


def test_a_proxy_for_the_world_does_not_stand_between_the_bot_and_us() -> None:
    with running() as stub:
        proxy = "http://127.0.0.1:9"  # The discard port: nobody answers there.
        done = run_bot(stub, REST_BOT, HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy)
        assert done.stdout == "12345.67\n", done.stderr


@pytest.mark.parametrize("name", ["FUSEBOARD_URL", "FUSEBOARD_KEY_ID", "FUSEBOARD_SECRET"])
def test_a_bot_without_the_gateways_address_or_key_does_not_start(name: str) -> None:
    environment = strategy_environment({}, url="http://127.0.0.1:1", key_id=KEY, secret=SECRET)
    del environment[name]
    done = subprocess.run(
        [sys.executable, "-c", "print('trading')"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert name in done.stderr


STRANGE_LIBRARIES = {
    "no class": ("alpaca/common/rest.py", "", "import alpaca.common.rest"),
    "no attribute": (
        "alpaca/common/rest.py",
        "class RESTClient:\n    def __init__(self): self._address = 1\n",
        "import alpaca.common.rest as r; r.RESTClient()",
    ),
    "no argument": (
        "alpaca_trade_api/rest.py",
        "URL = str\nclass REST:\n    def __init__(self, key): pass\n",
        "import alpaca_trade_api.rest",
    ),
}


@pytest.mark.parametrize("kind", STRANGE_LIBRARIES)
def test_a_library_that_does_not_look_as_expected_stops_the_bot(kind: str, tmp_path: Path) -> None:
    place, source, use = STRANGE_LIBRARIES[kind]
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    for folder in [file.parent, *file.parent.parents][: len(Path(place).parts) - 1]:
        (folder / "__init__.py").touch()
    file.write_text(source)
    with running() as stub:
        done = run_bot(stub, use + "\nprint('trading')", PYTHONPATH=str(tmp_path))
        assert (done.returncode, done.stdout) == (78, ""), done.stderr
        assert "this release is not known" in done.stderr
        assert not stub.arrived


def test_the_environment_holds_no_key_but_ours_and_keeps_everything_else() -> None:
    inherited = {
        "HOME": "/somewhere",
        "PYTHONPATH": "/a",
        "NO_PROXY": "b",
        "ALPACA_API_KEY": ITS_KEY,
        "ALPACA_SECRET_KEY": ITS_SECRET,
        "APCA_API_KEY_ID": ITS_KEY,
        "APCA_API_SECRET_KEY": ITS_SECRET,
        "APCA_API_OAUTH_TOKEN": ITS_SECRET,
    }
    given = strategy_environment(inherited, url="http://h:1/", key_id=KEY, secret=SECRET)
    assert not {ITS_KEY, ITS_SECRET} & set(given.values())
    assert given["HOME"] == "/somewhere"
    assert given["PYTHONPATH"] == os.pathsep.join([str(REDIRECT), "/a"])
    assert given["NO_PROXY"] == "127.0.0.1,localhost,b"
    assert given["APCA_API_BASE_URL"] == given["ALPACA_BASE_URL"] == "http://h:1"
    assert given["APCA_API_STREAM_URL"] == "ws://h:1"
    with pytest.raises(ValueError, match="not an http URL"):
        strategy_environment({}, url="127.0.0.1:1", key_id=KEY, secret=SECRET)


def test_the_redirect_needs_nothing_but_an_old_python() -> None:
    import ast

    tree = ast.parse((REDIRECT / "sitecustomize.py").read_text(), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names)
