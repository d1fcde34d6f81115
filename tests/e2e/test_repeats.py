"""Orders without an id of their own, over real sockets: who hung up is repeated, nobody else is."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.e2e import truth
from tests.e2e.processes import World, until

BODY = json.dumps(
    {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
)
SLOW_MS = 3_000


def sent(url: str, pair: tuple[str, str]) -> http.client.HTTPConnection:
    """An order on a connection of its own; the answer is not read."""
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"APCA-API-KEY-ID": pair[0], "APCA-API-SECRET-KEY": pair[1]}
    line.request("POST", "/v2/orders", BODY, headers)
    return line


def answered(line: http.client.HTTPConnection) -> str:
    answer = line.getresponse()
    body = json.loads(answer.read())
    line.close()
    assert answer.status == 200, body
    return str(body["id"])


def test_a_caller_that_hung_up_finds_its_order_and_the_others_have_their_own(here: World) -> None:
    here.init("name: repeats\n")
    exchange = here.exchange(tape="normal", requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    pair = here.key("default")
    exchange.start()
    assert answered(sent(gateway.url, pair)), "a good day comes first"
    exchange.faults(delay_ms=SLOW_MS)
    begun = time.monotonic()
    hung_up = sent(gateway.url, pair)
    waiting = [sent(gateway.url, pair) for _ in range(3)]
    hung_up.close()
    retried = sent(gateway.url, pair)
    assert time.monotonic() - begun < SLOW_MS / 1_000, "all of them came before any answer"
    with ThreadPoolExecutor() as readers:
        ids = list(readers.map(answered, [*waiting, retried]))
    exchange.faults(delay_ms=0)
    assert len(set(ids)) == 4, "three that waited, and the retry of the one that hung up"
    # Whether a collared order fills at once is the market's word: it may have moved meanwhile.
    until(lambda: len(truth.accepted(exchange.ledger(), opens=True)) == 5, "each arrives once")
    assert gateway.stop() == 0
    assert len(truth.accepted(exchange.ledger(), opens=True)) == 5
    truth.nothing_twice(exchange.ledger())
    here.evidence_is_clean()
