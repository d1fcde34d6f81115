"""Alerts that leave the machine: delivered, retried, bounded, never in the way."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fuseboard.alerts import line, outward
from fuseboard.alerts.delivery_times import IN_TIME_NS
from fuseboard.alerts.line import ALERTS_MAX
from fuseboard.alerts.outward import (
    OutwardPager,
    WebhookRefused,
    command,
    outward_pagers,
    webhook,
)
from fuseboard.vocabulary.money import NANOS
from tests.e2e.processes import until


class Hook:
    """A web server that refuses the first few posts."""

    def __init__(self) -> None:
        self.refuses = 0
        self.status = 500
        self.bodies: list[dict[str, object]] = []
        hook = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                hook.refuses -= 1
                if hook.refuses < 0:
                    hook.bodies.append({**json.loads(raw), "path": self.path})
                self.send_response(204 if hook.refuses < 0 else hook.status)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/a?b=c"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(outward, "PAUSE_S", 0.01)
    made = Hook()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def test_a_webhook_is_tried_again_until_it_takes_the_alert(hook: Hook) -> None:
    hook.refuses = 3
    pager = webhook(hook.url)
    pager.page("page", "guardian", "account", "the guardian acts")
    pager.close()
    assert pager.failed == 0
    (body,) = hook.bodies
    assert body["text"] == "the guardian acts"
    assert body["content"] == "PAGE guardian account: the guardian acts"
    assert body["path"] == "/hooks/a?b=c"


def test_a_lesser_alert_is_given_up_after_its_tries_and_holds_no_other_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outward, "PAUSE_S", 0.001)
    tried: list[str] = []

    def deliver(raw: bytes) -> None:
        tried.append(json.loads(raw)["text"])
        if tried[-1] == "one":
            raise ConnectionError("not this one")

    pager = OutwardPager(deliver, name="picky")
    pager.page("warning", "guardian", "account", "one")
    pager.page("warning", "guardian", "account", "two")
    until(lambda: pager.failed == 1, "it is given up")
    pager.close()
    assert (pager.delivered, pager.failed) == (1, 1)
    assert tried.count("one") == outward.TRIES_MAX
    assert tried.index("two") < outward.TRIES_MAX, "it waited for no pause of the other"


@pytest.mark.parametrize("closing", [True, False])
def test_a_page_is_never_given_up_and_keeps_no_other_waiting(hook: Hook, closing: bool) -> None:
    hook.refuses = 4 * outward.TRIES_MAX
    pager = webhook(hook.url)
    pager.page("page", "guardian", "account", "one")
    pager.page("page", "guardian", "account", "two")
    if not closing:
        until(lambda: pager.delivered == 2, "both are taken")
    pager.close()
    assert (pager.delivered, pager.failed) == (2, 0)
    assert sorted(str(body["text"]) for body in hook.bodies) == ["one", "two"]


def test_a_page_that_no_door_takes_lets_the_next_one_go() -> None:
    tried: list[str] = []

    def deliver(raw: bytes) -> None:
        tried.append(json.loads(raw)["text"])
        if tried[-1] == "poison":
            raise ConnectionError("too long")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(outward, "PAUSE_S", 0.001)
        patched.setattr(outward, "CLOSE_S_MAX", 0.2)
        pager = OutwardPager(deliver, name="picky")
        pager.page("page", "guardian", "account", "poison")
        pager.page("page", "guardian", "account", "killed")
        until(lambda: pager.delivered == 1, "the next one goes")
        pager.close()
        until(lambda: pager.failed == 1, "given up at the close, and said")
    assert tried[:3] == ["poison", "killed", "poison"], "a new page waits for no other's pause"


def test_a_lesser_alert_does_not_wait_for_the_pause_of_a_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pause of a page's tries is longer than anybody waits."""
    monkeypatch.setattr(outward, "PAUSE_S", 60.0)
    monkeypatch.setattr(outward, "PAUSE_S_MAX", 60.0)
    monkeypatch.setattr(outward, "CLOSE_S_MAX", 0.05)

    def deliver(raw: bytes) -> None:
        if json.loads(raw)["severity"] == "page":
            raise ConnectionError("no")

    pager = OutwardPager(deliver, name="picky")
    pager.page("page", "guardian", "account", "poison")
    pager.page("info", "guardian", "account", "told")
    until(lambda: pager.delivered == 1, "it is told")
    pager.close()


def test_the_close_ends_the_pause_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "PAUSE_S", 60.0)
    monkeypatch.setattr(outward, "PAUSE_S_MAX", 60.0)
    faults = [ConnectionError("not now")]

    def deliver(_raw: bytes) -> None:
        if faults:
            raise faults.pop()

    pager = OutwardPager(deliver, name="late")
    pager.page("page", "guardian", "account", "killed")
    until(lambda: pager.failure != "", "it was tried once")
    pager.close()
    assert (pager.delivered, pager.failed) == (1, 0)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_a_webhook_refuses_for_good_is_sent_once_more_cut_and_then_given_up(
    hook: Hook, status: int
) -> None:
    hook.refuses, hook.status = 2, status
    pager = webhook(hook.url)
    pager.page("page", "guardian", "account", "x" * 5_000)
    pager.page("page", "guardian", "account", "the next")
    pager.close()
    assert (pager.delivered, pager.failed) == (1, 1)
    assert [body["text"] for body in hook.bodies] == ["the next"]
    assert f"the webhook answered {status}" in pager.says()


def test_what_is_too_long_for_a_door_arrives_cut(hook: Hook) -> None:
    hook.refuses, hook.status = 1, 400
    pager = webhook(hook.url)
    pager.page("page", "guardian", "account", "x" * 5_000)
    pager.page("page", "guardian", "account", "y" * 5_000)
    pager.close()
    cut, whole = hook.bodies
    assert (len(str(cut["text"])), str(cut["text"])[-2:]) == (line.CUT_CHARACTERS_MAX, "x…")
    assert whole["text"] == "y" * 5_000
    assert len(str(whole["content"])) == line.TEXT_CHARACTERS_MAX


@pytest.mark.parametrize("status", [401, 403, 404, 407, 408, 409, 423, 425, 429])
def test_a_refusal_that_passes_is_none_of_the_alert(hook: Hook, status: int) -> None:
    hook.refuses, hook.status = 3, status
    pager = webhook(hook.url)
    pager.page("page", "guardian", "account", "x" * 5_000)
    pager.close()
    (body,) = hook.bodies
    assert (body["text"], pager.failed) == ("x" * 5_000, 0)


def test_a_door_that_is_stuck_costs_alerts_and_never_the_caller() -> None:
    stuck = threading.Event()

    def wait(_alert: bytes) -> None:
        stuck.wait()

    pager = OutwardPager(wait, name="stuck")
    for number in range(ALERTS_MAX + 10):
        pager.page("info", "guardian", "account", str(number))
    assert 9 <= pager.dropped <= 10
    stuck.set()
    pager.close()


def texts(tried: list[bytes]) -> list[str]:
    return [str(json.loads(raw)["text"]) for raw in tried]


def test_a_page_reaches_its_door_while_every_lesser_try_hangs_there() -> None:
    """RTS 6 Art. 16: it waits for no try of a lesser alert, however long that hangs."""
    hung, over, tried = threading.Semaphore(0), threading.Event(), list[bytes]()

    def deliver(raw: bytes) -> None:
        if json.loads(raw)["severity"] != "page":
            hung.release()
            over.wait()
        tried.append(raw)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line, "HANGS_S", 0.0)
        pager = OutwardPager(deliver, name="hangs")
        for number in range(outward.LESSER_AT_ONCE_MAX):
            pager.page("info", "guardian", "account", str(number))
            assert hung.acquire(timeout=10)
    for number in range(ALERTS_MAX + 10):
        pager.page("info", "guardian", "account", str(number))
    for text in ("killed", "done"):
        pager.page("page", "guardian", "account", text)
    until(lambda: pager.delivered == 2, "both pages are taken")
    assert texts(tried) == ["killed", "done"], "and in their order"
    assert (pager.dropped, pager.times.count) == (10, 2)
    over.set()
    pager.close()
    assert pager.delivered == 2 + outward.LESSER_AT_ONCE_MAX + ALERTS_MAX


def test_a_page_goes_to_its_door_beside_pages_that_hang_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "HANGS_S", 0.01)
    over, tried = threading.Event(), list[bytes]()

    def deliver(raw: bytes) -> None:
        if texts([raw])[0].startswith("hangs"):
            over.wait()
        tried.append(raw)

    pager = OutwardPager(deliver, name="hangs")
    for number in range(outward.PAGES_AT_ONCE_MAX - 1):
        pager.page("page", "guardian", "account", f"hangs {number}")
    pager.page("page", "guardian", "account", "killed")
    until(lambda: pager.delivered == 1, "it is taken")
    assert texts(tried) == ["killed"]
    assert pager.oldest_ns() > 0, "the others are not"
    over.set()
    pager.close()
    assert (pager.delivered, pager.oldest_ns()) == (outward.PAGES_AT_ONCE_MAX, 0)


def test_alerts_arrive_in_their_order_at_a_door_that_answers() -> None:
    tried: list[bytes] = []
    pager = OutwardPager(tried.append, name="answers")
    wanted = [str(number) for number in range(100)]
    for text in wanted:
        pager.page("page", "guardian", "account", text)
    pager.close()
    assert texts(tried) == wanted


def test_an_alerts_time_runs_from_its_event_and_exactly_five_seconds_are_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outward, "boot_ns", lambda: 100 * NANOS)
    pager = OutwardPager(lambda _raw: None, name="door")
    assert pager.says() == "door: 0 delivered, 0 given up, 0 dropped"
    for age_ns in (0, IN_TIME_NS, IN_TIME_NS + 1):
        pager.page("info", "guardian", "account", "told", age_ns=age_ns)
    pager.close()
    assert (pager.times.count, pager.times.slowest_ns, pager.times.late) == (3, IN_TIME_NS + 1, 1)
    assert pager.says() == (
        "door: 3 delivered, 0 given up, 0 dropped"
        "; slowest 5.001 s after its event, 1 later than 5 s"
    )


def test_what_finds_no_room_is_dropped_for_what_is_more_severe() -> None:
    stuck, taken = threading.Event(), list[str]()

    def wait(raw: bytes) -> None:
        stuck.wait()
        taken.append(json.loads(raw)["severity"])

    pager = OutwardPager(wait, name="stuck")
    for severity in ("info", "page"):
        pager.page(severity, "guardian", "account", "it is tried already")
    until(lambda: not pager._pages and not pager._lesser, "both are tried")
    for severity in ("info", "page", "warning"):
        for number in range(ALERTS_MAX):
            pager.page(severity, "guardian", "account", str(number))
    assert pager.dropped == ALERTS_MAX
    stuck.set()
    pager.close()
    assert sorted(taken) == ["info", *["page"] * (1 + ALERTS_MAX), *["warning"] * ALERTS_MAX]


@pytest.mark.parametrize(
    "fault", [ValueError("port"), OverflowError("port"), UnicodeError("label"), KeyError("x")]
)
def test_whatever_a_door_does_its_thread_lives(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(outward, "PAUSE_S", 0.001)
    faults = [fault]

    def deliver(_alert: bytes) -> None:
        if faults:
            raise faults.pop()

    pager = OutwardPager(deliver, name="odd")
    pager.page("page", "guardian", "account", "killed")
    pager.close()
    assert (pager.delivered, pager.failed) == (1, 0)
    assert pager.failure


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:0/x",
        "http://127.0.0.1:port/x",
        "http://127.0.0.1:9/\u00e9",
        "http://127.0.0.1:9/a b",
        f"http://{'a' * 70}.com/x",
        "http://[::1/x",
    ],
)
def test_an_address_that_no_request_can_be_sent_to_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(WebhookRefused, match="the alert webhook"):
        webhook(url)


def test_a_command_gets_the_alert_on_its_standard_input(tmp_path: Path) -> None:
    told = tmp_path / "told"
    pager = command(["tee", str(told)])
    pager.page("page", "guardian", "account", "it is done")
    pager.close()
    assert json.loads(told.read_bytes())["text"] == "it is done"


def test_a_command_that_fails_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "PAUSE_S", 0.001)
    for words in (["false"], ["/no/such/program"]):
        pager = command(words)
        pager.page("warning", "guardian", "account", "it is done")
        pager.close()
        assert pager.failed == 1


def test_the_environment_names_the_doors() -> None:
    assert outward_pagers({}) == []
    doors = outward_pagers(
        {"FUSEBOARD_ALERT_WEBHOOK": "https://example.invalid/x", "FUSEBOARD_ALERT_COMMAND": "true"}
    )
    assert len(doors) == 2
    for door in doors:
        door.close()
    for wrong in ("ftp://example.invalid", "example.invalid", "https://"):
        with pytest.raises(WebhookRefused):
            webhook(wrong)
