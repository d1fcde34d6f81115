"""What a close can do without does not hold it up, and a fault of the guardian's own is said."""

import re

import msgspec
import pytest

from fuseboard.brokers.alpaca_protection import AlpacaProtection, BrokerLatches
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.guardian import serving
from fuseboard.guardian.serving import Guardian
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, boot_ns
from fuseboard.rescue import closing, rescuing
from fuseboard.rescue.asking import Asking
from fuseboard.rescue.journal import done_runs, read_lines
from fuseboard.rescue.rescuing import Rescue
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import ReadLeg
from fuseboard.vocabulary.inputs import LegRead, PositionsSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca_orders import SeenOrder
from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET
from tests.guardian.scene import RUN_NS, Scene, acts_of, last_said


def test_neither_a_quote_nor_the_brokers_own_latch_holds_a_close_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_protection: AlpacaProtection, _latches: BrokerLatches) -> None:
        raise BrokerUnavailable("403 forbidden")

    async def silent(_protection: AlpacaProtection) -> list[SeenOrder]:
        raise BrokerUnavailable("no connection")

    monkeypatch.setattr(AlpacaProtection, "latch", refused)
    monkeypatch.setattr(rescuing, "ACT_S_MAX", 15.0)
    monkeypatch.setattr(rescuing, "LATCH_S_MAX", 0.2)
    monkeypatch.setattr(closing, "QUOTE_S_MAX", 0.2)
    scene.send("AAPL", 10, "buy")
    outcome = scene.act(data_url="http://127.0.0.1:1")
    assert (outcome.held, [each.left_nanos for each in outcome.left]) == ((), [0])
    (close,) = scene.ours()
    assert close.limit_price_nanos is not None, "priced by what the broker values it at"
    not_set = [text for text in scene.heard.texts if "own latch" in text]
    assert len(not_set) == 2
    assert all("is not set: 403 forbidden" in text and text[:4] == "page" for text in not_set)
    assert acts_of(scene).count("broker not latched") == 2
    assert last_said(scene) == "nothing works any more; all that was to be closed is flat"

    real = Rescue._proven

    async def then_silent(
        rescue: Rescue,
        broker: AlpacaRequests,
        protection: AlpacaProtection,
        asking: Asking,
        *,
        latches: bool,
    ) -> PositionsSeen:
        proof = await real(rescue, broker, protection, asking, latches=latches)
        monkeypatch.setattr(AlpacaProtection, "working_orders", silent)
        return proof

    monkeypatch.setattr(Rescue, "_proven", then_silent)
    monkeypatch.setattr(rescuing, "ACT_S_MAX", 4.0)
    monkeypatch.setattr("tests.guardian.test_acting.RUN_NS", RUN_NS + 1)  # another trip
    scene.send("TSLA", 4, "buy")
    outcome = scene.act()
    assert not outcome.cancelled
    assert (outcome.held, [each.left_nanos for each in outcome.left]) == ((), [0])
    assert re.fullmatch(
        r"orders may still work .*: no connection; all that was to be closed is flat;"
        r" what they fill from then on stays open",
        last_said(scene),
    )


def test_a_fault_of_its_own_is_said_and_the_acts_begin_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "buy")
    real = AlpacaRequests.leg_read
    faults = [2]

    async def leg_read(broker: AlpacaRequests, leg: ReadLeg) -> LegRead:
        if leg.symbol == "AAPL" and faults[0]:
            faults[0] -= 1
            raise ValueError("nobody thought of it")
        return await real(broker, leg)

    monkeypatch.setattr(AlpacaRequests, "leg_read", leg_read)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(serving, "FAULT_PAUSE_S", 0.0)
    monkeypatch.setattr(serving, "FAULTS_MAX", 2)
    text = msgspec.json.encode(scene.orders(timeout_ns=NANOS // 5))
    scene.place.orders_file.write_bytes(text)
    environment = {"ALPACA_API_KEY": EXCHANGE_KEY, "ALPACA_SECRET_KEY": EXCHANGE_SECRET}

    def guard() -> tuple[Guardian, HeartbeatFile]:
        file = HeartbeatFile(scene.place.heartbeat_file)
        file.write(Heart.GATEWAY, Beat(Phase.RUNNING, 999_999, 1, 77, boot_ns(), 1))
        return Guardian(scene.place, file, environment, [scene.heard]), file

    assert guard()[0].serve() == 1, "it gives up after so many, and says so"
    said = [text for text in scene.heard.texts if "ValueError: nobody thought of it" in text]
    assert len(said) == 2
    assert all("10 AAPL" in text and text.startswith("page") for text in said), "what is open"
    assert "4 TSLA" not in said[-1], "the other close had come to its end"
    assert "the guardian ends after 2 faults" in scene.heard.texts[-1]
    assert acts_of(scene).count("fault") == 2
    assert not done_runs(read_lines(scene.place.journal_file))
    assert scene.exchange.positions() == {"AAPL": "10"}
    assert caplog.text.count("Traceback") == 2, "where it was is in the log"

    faults[0] = 1  # the next one has one fault, begins the same acts again and ends them
    guardian, _ = guard()
    guardian._watch.dealt_with = lambda: guardian._stop(0, None)  # type: ignore[method-assign]
    assert guardian.serve() == 0
    assert done_runs(read_lines(scene.place.journal_file)) == {77}
    assert scene.exchange.positions() == {}
