"""Alerts that leave the machine: delivered, retried, bounded, never in the way."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fuseboard.alerts import outward
from fuseboard.alerts.outward import (
    ALERTS_MAX,
    OutwardPager,
    WebhookRefused,
    command,
    outward_pagers,
    webhook,
)
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


def test_an_alert_is_given_up_after_its_tries_and_the_next_one_goes(hook: Hook) -> None:
    hook.refuses = outward.TRIES_MAX
    pager = webhook(hook.url)
    pager.page("warning", "guardian", "account", "one")
    pager.page("warning", "guardian", "account", "two")
    pager.close()
    assert pager.failed == 1
    assert [body["text"] for body in hook.bodies] == ["two"]


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
        pager._thread.join(10)
    assert tried[:3] == ["poison", "killed", "poison"], "a new page waits for no other's pause"
    assert pager.failed == 1, "given up at the close, and said"


def test_pages_that_no_door_takes_let_lesser_alerts_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pauses are nothing, so that a page is due at every turn."""
    monkeypatch.setattr(outward, "PAUSE_S", 0.0)
    monkeypatch.setattr(outward, "CLOSE_S_MAX", 0.2)
    tried: list[str] = []
    began = threading.Event()

    def deliver(raw: bytes) -> None:
        assert began.wait(10)
        tried.append(json.loads(raw)["text"])
        if tried[-1] == "poison":
            raise ConnectionError("no")

    pager = OutwardPager(deliver, name="picky")
    for text in ("poison", "poison"):
        pager.page("page", "guardian", "account", text)
    for severity in ("info", "warning"):
        pager.page(severity, "guardian", "account", severity)
    began.set()
    until(lambda: pager.delivered == 2, "both are taken")
    pager.close()
    tries = 2 * outward.TRIES_MAX
    assert tried[: tries + 5] == [*["poison"] * (tries + 1), "warning", "poison", "info", "poison"]


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
    assert (len(str(cut["text"])), str(cut["text"])[-2:]) == (outward.CUT_CHARACTERS_MAX, "x…")
    assert whole["text"] == "y" * 5_000
    assert len(str(whole["content"])) == outward.TEXT_CHARACTERS_MAX


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


def test_a_page_overtakes_what_is_tried_again_and_is_never_dropped_for_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pause of a lesser alert's tries is longer than anybody waits."""
    monkeypatch.setattr(outward, "PAUSE_S", 60.0)
    tried: list[str] = []
    came, paged = threading.Event(), threading.Event()

    def deliver(raw: bytes) -> None:
        alert = json.loads(raw)
        tried.append(alert["text"])
        if alert["severity"] != "page":
            came.set()
            raise ConnectionError("not now")
        if tried.count(alert["text"]) == len(pages):
            paged.set()

    pages = ["killed"]
    pager = OutwardPager(deliver, name="slow")
    pager.page("info", "guardian", "account", "first")
    assert came.wait(10)
    for number in range(ALERTS_MAX):
        pager.page("info", "guardian", "account", str(number))
    pager.page("page", "guardian", "account", "killed")
    assert paged.wait(10), pager.says()
    assert tried[:2] == ["first", "killed"]
    assert pager.dropped >= 1
    assert pager.delivered <= 1
    assert "not now" in pager.says()


def test_what_finds_no_room_is_dropped_for_what_is_more_severe() -> None:
    began, stuck = threading.Event(), threading.Event()
    taken: list[str] = []

    def wait(raw: bytes) -> None:
        began.set()
        stuck.wait()
        taken.append(json.loads(raw)["severity"])

    pager = OutwardPager(wait, name="stuck")
    pager.page("info", "guardian", "account", "it is tried already")
    assert began.wait(10)
    for severity in ("info", "page", "warning"):
        for number in range(ALERTS_MAX):
            pager.page(severity, "guardian", "account", str(number))
    assert pager.dropped == 2 * ALERTS_MAX
    stuck.set()
    pager.close()
    assert taken == ["info", *["page"] * ALERTS_MAX]


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
