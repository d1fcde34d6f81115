"""Who is lost and who is back: judged by a clock that the test turns, and by real clients."""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest
from msgspec import json
from websockets.frames import Frame, Opcode

from fuseboard.gateway import presence
from fuseboard.gateway.presence import Grace, Graces, Presence
from fuseboard.gateway.trade_stream import KILLED_REASON
from fuseboard.vocabulary.actions import ConnectedBy
from fuseboard.vocabulary.disconnect_facts import StrategyLost, StrategySeen
from fuseboard.vocabulary.effects import PublishPosture
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.inputs import Input, OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.websocket_server import WebSocketLimits
from tests.deletion import assert_pinned
from tests.gateway.calls import PATIENCE_S, asked, opened, running_here
from tests.gateway.scripted import Gateway

STREAM, REQUESTS, PROCESS = ConnectedBy.STREAM, ConnectedBy.REQUESTS, ConnectedBy.PROCESS
AFTER_S = 10
TICK_NS = NANOS // 5
START_S = presence.RECONNECT_NS // NANOS


class Door:
    """Presence with a clock of the test's, and an intake that may be full."""

    def __init__(self, by: ConnectedBy, *, had_orders: tuple[str, ...] = ()) -> None:
        self.now_ns = 1_000 * NANOS
        self.is_full = False
        self.offered: list[Input] = []
        self.presence = Presence(self, had_orders, lambda: self.now_ns)
        self.presence.begin()
        self.presence.follow(Graces(Grace(by, AFTER_S * NANOS)))

    def offer(self, fact: Input) -> bool:
        if not self.is_full:
            self.offered.append(fact)
        return not self.is_full

    def wait(self, seconds: float) -> list[str]:
        """What is offered while it passes, somebody looking several times a second."""
        until_ns = self.now_ns + int(seconds * NANOS)
        while self.now_ns < until_ns:
            self.now_ns = min(self.now_ns + TICK_NS, until_ns)
            self.presence.look()
        return self.told()

    def told(self) -> list[str]:
        told = [
            f"{'lost' if isinstance(fact, StrategyLost) else 'seen'} {fact.strategy}"
            for fact in self.offered
            if isinstance(fact, StrategyLost | StrategySeen)
        ]
        self.offered.clear()
        return told


def test_a_strategy_whose_last_stream_is_gone_is_lost_after_its_grace_and_seen_when_back() -> None:
    door = Door(STREAM)
    door.presence.stream_opened("one")
    door.presence.stream_opened("one")
    assert not door.wait(1_000)
    door.presence.stream_closed("one")
    assert not door.wait(1_000), "its other stream is there"
    door.presence.stream_closed("one")
    assert not door.wait(AFTER_S - 0.1)
    assert door.wait(0.1) == ["lost one"]
    assert not door.wait(1_000), "it is told once"
    door.presence.stream_opened("one")
    assert door.told() == ["seen one"]


def test_the_fact_says_for_how_long_and_by_what() -> None:
    door = Door(STREAM)
    door.presence.stream_opened("one")
    door.presence.stream_closed("one")
    door.now_ns += NANOS // 2
    for _ in range(AFTER_S * 5):
        door.now_ns += TICK_NS
        door.presence.look()
    assert door.offered == [
        StrategyLost(strategy="one", by=STREAM, absent_ns=AFTER_S * NANOS + NANOS // 10)
    ]


def test_who_is_back_within_the_grace_was_never_lost() -> None:
    door = Door(STREAM)
    for _ in range(20):
        door.presence.stream_opened("one")
        door.presence.stream_closed("one")
        assert not door.wait(AFTER_S - 1)


def test_silence_of_requests_is_told_whatever_streams_are_open() -> None:
    door = Door(REQUESTS)
    door.presence.stream_opened("one")
    assert not door.wait(1_000), "it has never asked for anything"
    for _ in range(50):
        door.presence.requested("one")
        assert not door.wait(AFTER_S - 1)
    assert door.wait(2) == ["lost one"]
    door.presence.requested("one")
    assert door.told() == ["seen one"], "before what it asks for is offered"
    assert not door.wait(AFTER_S - 1)
    assert door.wait(2) == ["lost one"]


def test_one_that_was_never_there_is_not_lost() -> None:
    door = Door(STREAM)
    door.presence.requested("one")
    assert not door.wait(1_000), "it never opened a stream"
    door = Door(PROCESS)
    door.presence.stream_opened("one")
    door.presence.stream_closed("one")
    assert not door.wait(1_000), "it was never supervised"


@pytest.mark.parametrize("by", ConnectedBy)
def test_after_a_restart_who_had_orders_has_the_grace_from_the_open_door(by: ConnectedBy) -> None:
    door = Door(by, had_orders=("one", "two"))
    door.presence.process_starts("two")
    door.presence.process_runs("two")
    door.presence.stream_opened("two")
    if by is not REQUESTS:
        door.presence.requested("one")
    for _ in range(START_S - 1):  # clients try again less and less often
        door.presence.requested("two")
        assert not door.wait(1)
    assert door.wait(2) == ["lost one"]
    door.presence.ordered("one")
    assert "lost one" in door.wait(AFTER_S + 1), "what it sends later has waited enough"


def test_a_grace_that_is_longer_than_a_start_waits_is_kept_at_a_start_too() -> None:
    door = Door(STREAM, had_orders=("one",))
    door.presence.follow(Graces(Grace(STREAM, 2 * presence.RECONNECT_NS)))
    assert not door.wait(2 * START_S - 1)
    assert door.wait(2) == ["lost one"]


def test_who_came_back_in_time_after_a_restart_is_judged_as_ever() -> None:
    door = Door(STREAM, had_orders=("one",))
    door.wait(AFTER_S - 1)
    door.presence.stream_opened("one")
    assert not door.wait(100)
    door.presence.stream_closed("one")
    assert not door.wait(AFTER_S - 1)
    assert door.wait(2) == ["lost one"]


@pytest.mark.parametrize("by", [STREAM, REQUESTS])
def test_a_supervised_strategy_has_its_grace_from_when_its_command_was_started(
    by: ConnectedBy,
) -> None:
    door = Door(by, had_orders=("one",))
    door.presence.process_starts("one")
    assert not door.wait(1_000), "we have not started it yet"
    door.presence.process_runs("one")
    assert not door.wait(START_S - 1)
    assert door.wait(2) == ["lost one"]


def test_what_a_lost_strategy_sends_all_the_same_has_a_grace_of_its_own() -> None:
    door = Door(STREAM)
    door.presence.stream_opened("one")
    door.presence.stream_closed("one")
    assert door.wait(AFTER_S + 1) == ["lost one"]
    door.wait(100)
    door.presence.ordered("one")
    door.presence.ordered("stranger")
    assert not door.wait(AFTER_S - 1)
    assert door.wait(2) == ["lost one"]
    door.presence.stream_opened("one")
    assert door.told() == ["seen one"]


def test_what_the_intake_does_not_take_is_offered_again() -> None:
    door = Door(STREAM)
    door.presence.stream_opened("one")
    door.presence.stream_closed("one")
    door.is_full = True
    assert not door.wait(AFTER_S + 5)
    door.is_full = False
    assert door.wait(1) == ["lost one"]
    door.is_full = True
    door.presence.stream_opened("one")
    assert not door.wait(5)
    door.is_full = False
    assert door.wait(1) == ["seen one"]


def test_time_in_which_we_were_away_ourselves_is_held_against_nobody() -> None:
    door = Door(REQUESTS)
    door.presence.requested("one")
    door.wait(5)
    door.now_ns += 3_600 * NANOS  # stopped, or the loop hung: its requests wait to be read
    door.presence.look()
    assert not door.told()
    assert not door.wait(AFTER_S - 1)
    assert door.wait(2) == ["lost one"]


def test_once_the_door_closes_nobody_is_lost() -> None:
    door = Door(STREAM)
    door.presence.stream_opened("one")
    door.presence.close()
    door.presence.stream_closed("one")
    assert not door.wait(1_000)


def test_another_rule_begins_each_grace_anew_and_the_same_one_does_not() -> None:
    door = Door(STREAM)
    for name in ("one", "own", "off"):
        door.presence.stream_opened(name)
        door.presence.stream_closed(name)
    door.wait(9)
    door.presence.follow(Graces(Grace(STREAM, AFTER_S * NANOS)))
    assert door.wait(2) == ["lost one", "lost own", "lost off"], "the rule is as before"
    longer = Grace(STREAM, 2 * AFTER_S * NANOS)
    door.presence.follow(Graces(Grace(STREAM, AFTER_S * NANOS), {"own": longer, "off": None}))
    assert not door.wait(AFTER_S - 1)
    assert door.wait(2) == ["lost one"]
    assert door.wait(AFTER_S) == ["lost own"]
    assert not door.wait(1_000)


def test_without_a_rule_nobody_is_lost() -> None:
    door = Door(STREAM, had_orders=("one",))
    door.presence.follow(Graces())
    door.presence.stream_opened("two")
    door.presence.stream_closed("two")
    assert not door.wait(1_000)


@pytest.mark.parametrize(
    ("function", "text", "instead", "test"),
    [
        (
            Presence.look,
            "self._from_ns = now_ns",
            "pass",
            test_time_in_which_we_were_away_ourselves_is_held_against_nobody,
        ),
        (
            Presence.look,
            "if not self._is_open:",
            "if False:",
            test_once_the_door_closes_nobody_is_lost,
        ),
        (
            Presence._judge,
            'at.process == "starts" or ',
            "",
            lambda: test_a_supervised_strategy_has_its_grace_from_when_its_command_was_started(
                STREAM
            ),
        ),
        (
            Presence.follow,
            "self._from_ns = self._clock_ns()",
            "pass",
            test_another_rule_begins_each_grace_anew_and_the_same_one_does_not,
        ),
        (
            Presence._judge,
            "last_ns, least_ns = 0, 0 if at.is_lost else RECONNECT_NS",
            "last_ns = 0",
            lambda: test_after_a_restart_who_had_orders_has_the_grace_from_the_open_door(STREAM),
        ),
        (
            Presence.ordered,
            "at.is_done, at.from_ns = False, self._clock_ns()",
            "pass",
            test_what_a_lost_strategy_sends_all_the_same_has_a_grace_of_its_own,
        ),
        (
            presence._is_back,
            "at.heard_ns >= at.lost_ns",
            "False",
            test_silence_of_requests_is_told_whatever_streams_are_open,
        ),
    ],
    ids=["late", "closed", "starts", "rule", "reconnect", "ordered", "back"],
)
def test_without_this_line_its_test_fails(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], object],
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)


# --- real clients --------------------------------------------------------------------------------

BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'
SOON = Grace(STREAM, NANOS // 10)


def _run(
    test: Callable[[Gateway], Awaitable[None]], websocket_limits: WebSocketLimits | None = None
) -> None:
    async def run() -> None:
        async with running_here(websocket_limits=websocket_limits) as gateway:
            looking = asyncio.create_task(gateway.door.presence.run())
            try:
                await test(gateway)
            finally:
                looking.cancel()

    asyncio.run(run())


async def _told(gateway: Gateway, kind: type[StrategyLost | StrategySeen], times: int = 1) -> None:
    """Wait until it was told so many times that strategy `one` is gone, or is back."""
    async with asyncio.timeout(PATIENCE_S):
        while sum(isinstance(f, kind) and f.strategy == "one" for f in gateway.loop.inputs) < times:
            await asyncio.sleep(0.01)


def _passages(gateway: Gateway) -> list[Input]:
    kinds = StrategyLost | StrategySeen | OrderRequested
    return [fact for fact in gateway.loop.inputs if isinstance(fact, kinds)]


def test_a_client_that_hangs_up_is_lost_and_is_seen_before_what_it_then_asks_for() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(SOON))
        async with opened(gateway, "/stream", authorize=True) as stream:
            await asked(gateway, "POST", "/v2/orders", BODY)
            stream.connection.transport.abort()
            await _told(gateway, StrategyLost)
        async with opened(gateway, "/stream", authorize=True):
            await _told(gateway, StrategySeen)
            await asked(gateway, "POST", "/v2/orders", BODY)
        names = [type(fact).__name__ for fact in _passages(gateway)]
        assert names[:4] == ["OrderRequested", "StrategyLost", "StrategySeen", "OrderRequested"]

    _run(test)


def test_another_stream_of_the_strategy_under_another_key_is_enough() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(SOON))
        async with opened(gateway, "/stream", authorize=True):
            gateway.one = gateway.keys.mint("one")
            async with opened(gateway, "/stream", authorize=True) as other:
                other.connection.transport.abort()
            await asyncio.sleep(0.5)
            assert not _passages(gateway)
        await _told(gateway, StrategyLost)

    _run(test)


def test_a_connection_that_was_never_authorized_says_nothing_of_anybody() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(SOON))
        async with opened(gateway, "/stream") as stream:
            await stream.send({"action": "auth", "key": gateway.one[0], "secret": "wrong"})
            await stream.next()
        await asyncio.sleep(0.5)
        assert not _passages(gateway)

    _run(test)


def test_requests_are_signs_of_life_and_unauthorized_ones_are_not() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(Grace(REQUESTS, NANOS // 10)))
        await asked(gateway, "GET", "/v2/orders", key=(gateway.one[0], "wrong"))
        await asyncio.sleep(0.5)
        assert not _passages(gateway)
        await asked(gateway, "GET", "/v2/orders")
        await _told(gateway, StrategyLost)
        await asked(gateway, "GET", "/v2/positions")
        await _told(gateway, StrategySeen)
        await _told(gateway, StrategyLost, times=2)

    _run(test)


def test_a_kill_that_closes_the_streams_makes_it_lost_too_and_a_stop_of_ours_does_not() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(SOON))
        async with opened(gateway, "/stream", authorize=True) as stream:
            killed = PublishPosture(
                scope=strategy_scope("one"), posture=Posture.KILLED, reason=Reason.OPERATOR
            )
            gateway.door.apply(killed)
            await _told(gateway, StrategyLost)
            await stream.connection.wait_closed()
            assert stream.connection.close_reason == KILLED_REASON

    _run(test)

    async def stopped(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(SOON))
        async with opened(gateway, "/stream", authorize=True):
            gateway.door.stop_accepting()
            await gateway.door.stop()
            await asyncio.sleep(0.5)
            assert not _passages(gateway)

    _run(stopped)


def test_a_peer_that_vanished_without_a_word_is_lost_once_its_pongs_stay_away() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.door.presence.follow(Graces(SOON))
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        key = base64.b64encode(bytes(16)).decode()
        writer.write(
            "GET /stream HTTP/1.1\r\nhost: gateway\r\nupgrade: websocket\r\n"
            f"connection: upgrade\r\nsec-websocket-key: {key}\r\n"
            "sec-websocket-version: 13\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        pair = {"key_id": gateway.one[0], "secret_key": gateway.one[1]}
        asked_for = json.encode({"action": "authenticate", "data": pair})
        writer.write(Frame(Opcode.TEXT, asked_for).serialize(mask=True))
        assert b"authorized" in await reader.read(1_000)
        assert not _passages(gateway)
        await _told(gateway, StrategyLost)  # its side stays open: only the pongs are missing
        writer.close()

    _run(test, WebSocketLimits(ping_s=0.2, pong_s_max=0.2))
