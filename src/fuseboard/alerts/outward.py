"""Alerts that leave the machine: a webhook, a command. Each has a thread of its own and is retried.

Nothing waits for them: an alert is put into a bounded line, pages first, and when that is full the
least of them is dropped and counted; `status` shows the counts. The webhook gets `POST` with one
JSON object (`severity`, `code`, `scope`, `text`, `host`, `wall_ns`, and `content` for chat services
that show that field); the command gets the same object on its standard input.
"""

import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

ALERTS_MAX: Final = 200
TRIES_MAX: Final = 5
TRY_S_MAX: Final = 10.0
PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 30.0
CLOSE_S_MAX: Final = 15.0
COMMAND_WORDS_MAX: Final = 64
WEBHOOK_NAME: Final = "FUSEBOARD_ALERT_WEBHOOK"
COMMAND_NAME: Final = "FUSEBOARD_ALERT_COMMAND"
WEBHOOK_DOOR: Final = "alert-webhook"
COMMAND_DOOR: Final = "alert-command"
RANKS: Final = ("page", "warning", "info")
"""Severities, the most severe first."""
_PAGE: Final = 0
DELIVERY_FAILURES: Final = (
    OSError,
    http.client.HTTPException,
    subprocess.SubprocessError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    RuntimeError,
)
"""What a try may end with, whatever a door does: its thread must not die of it."""
_MARK_DIGITS: Final = 12
TEXT_CHARACTERS_MAX: Final = 1_800
"""Of a text as it is sent: chat services refuse a message of two thousand characters or more."""
CUT_CHARACTERS_MAX: Final = 200
"""What is left of a text when a door has refused the whole one for good."""
_FOR_GOOD: Final = (400, 413, 422)
"""Refusals that speak of what was sent; any other may pass, or be mended at the door."""


class WebhookRefused(ValueError):
    """The address of a webhook is none; the message says what is expected."""


class Refused(ConnectionError):
    """The door will never take this alert as it is."""


class _Alert:
    """One alert on its way, and how often it was tried."""

    __slots__ = ("cut", "due_s", "rank", "said", "tries")

    def __init__(self, said: dict[str, object], rank: int) -> None:
        self.said = said
        self.rank = rank
        self.tries = 0
        self.due_s = 0.0
        """Of a page: when it is tried again, monotonic."""
        self.cut = False

    def body(self) -> bytes:
        """As it is sent; `content` for chat services is cut sooner than the text."""
        text = _cut(str(self.said["text"]), CUT_CHARACTERS_MAX) if self.cut else self.said["text"]
        line = f"{str(self.said['severity']).upper()} {self.said['code']} {self.said['scope']}: "
        content = _cut(f"{line}{text}", TEXT_CHARACTERS_MAX)
        return json.dumps({**self.said, "text": text, "content": content}).encode()


def _cut(text: str, characters_max: int) -> str:
    if len(text) <= characters_max:
        return text
    return f"{text[: characters_max - 1]}…"


class OutwardPager:
    """A `Pager` that hands each alert to `deliver`, which raises when it failed.

    The most severe goes first: a page waits for one try of a lesser alert at most, and where there
    is no room the newest of the least severe is dropped, a page only for pages.

    A lesser alert is given up after `TRIES_MAX` tries. A page never is, because what it tells may
    be why the network is away: it is tried again after a pause of at most `PAUSE_S_MAX`, and each
    `PAUSE_S` while we close. It keeps no other waiting meanwhile: those that were tried less go
    first, and after `TRIES_MAX` tries a lesser alert goes between two turns of such pages. Only
    what the door refuses for good (`Refused`) is given up, after one more try with less text.

    `delivered` counts alerts that were taken, `failed` those given up, also at the close,
    `dropped` those that found no room; `failure` says why the last failed try did.
    """

    def __init__(self, deliver: Callable[[bytes], None], *, name: str) -> None:
        self.name = name
        self.delivered = 0
        self.failed = 0
        self.failure = ""
        self.dropped = 0
        self._deliver = deliver
        self._lines: tuple[deque[_Alert], ...] = tuple(deque() for _ in RANKS)
        self._changed = threading.Condition()
        self._closing = False
        self._closed_s = 0.0
        self._yields = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def page(self, severity: str, code: str, scope: str, text: str) -> None:
        """Queue one alert; never waits for its delivery."""
        alert: dict[str, object] = {
            "severity": severity,
            "code": code,
            "scope": scope,
            "text": text,
            "host": socket.gethostname(),
            "wall_ns": time.time_ns(),
        }
        rank = RANKS.index(severity) if severity in RANKS else 0
        with self._changed:
            self._lines[rank].append(_Alert(alert, rank))
            if sum(map(len, self._lines)) > ALERTS_MAX:
                next(line for line in reversed(self._lines) if line).pop()
                self.dropped += 1
            self._changed.notify()

    def says(self) -> str:
        """For the status: what became of the alerts since the start."""
        counts = f"{self.delivered} delivered, {self.failed} given up, {self.dropped} dropped"
        waiting = sum(map(len, self._lines))
        counts += f", {waiting} waiting" if waiting else ""
        return f"{self.name}: {counts}" + (f"; last failure: {self.failure}" * bool(self.failure))

    def close(self) -> None:
        """Deliver what is queued, for at most `CLOSE_S_MAX` seconds, and stop."""
        with self._changed:
            self._closing, self._closed_s = True, time.monotonic() + CLOSE_S_MAX
            for page in self._lines[_PAGE]:
                page.due_s = 0.0
            self._changed.notify()
        self._thread.join(CLOSE_S_MAX)  # a daemon: where the door is stuck it ends with the process

    def _run(self) -> None:
        while (alert := self._next()) is not None:
            try:
                self._deliver(alert.body())
            except Refused as refused:
                self.failure = str(refused)
                self._cut_or_give_up(alert)
            except DELIVERY_FAILURES as error:
                self.failure = str(error) or type(error).__name__
                self._try_later(alert)
            else:
                self.delivered += 1

    def _next(self) -> _Alert | None:
        """Whose turn it is; None: closing, and nothing waits.

        Of the pages that are due the one that was tried least, the oldest of these; between the
        turns of pages that no try has brought out, one lesser alert.
        """
        pages = self._lines[_PAGE]
        with self._changed:
            while True:
                page = min(self._due(), key=lambda alert: alert.tries, default=None)
                lesser = next((line for line in self._lines[_PAGE + 1 :] if line), None)
                if page is not None and (page.tries < TRIES_MAX or not (lesser and self._yields)):
                    self._yields = page.tries >= TRIES_MAX
                    pages.remove(page)
                    return page
                if lesser:
                    self._yields = False
                    return lesser.popleft()
                if self._closing and not pages:
                    return None
                self._changed.wait(self._next_page_s())

    def _due(self) -> list[_Alert]:
        now_s = time.monotonic()
        return [alert for alert in self._lines[_PAGE] if alert.due_s <= now_s]

    def _next_page_s(self) -> float | None:
        """How long until a page is due; None while none waits."""
        due_s = min((alert.due_s for alert in self._lines[_PAGE]), default=None)
        return None if due_s is None else max(0.0, due_s - time.monotonic())

    def _try_later(self, alert: _Alert) -> None:
        """Put it back into its line: a page to be due again, a lesser one after a pause, which a
        more severe one, and the close, end.
        """
        alert.tries += 1
        grown_s = min(PAUSE_S * 2 ** (min(alert.tries, TRIES_MAX) - 1), PAUSE_S_MAX)
        with self._changed:
            if alert.rank == _PAGE:
                alert.due_s = time.monotonic() + (PAUSE_S if self._closing else grown_s)
            else:
                self._pause(alert.rank, grown_s)
            is_over = self._closing and time.monotonic() >= self._closed_s
            if is_over or (alert.tries >= TRIES_MAX and alert.rank != _PAGE):
                self.failed += 1
            else:
                self._lines[alert.rank].appendleft(alert)

    def _pause(self, rank: int, pause_s: float) -> None:
        ends_s = time.monotonic() + pause_s
        while not (self._closing or self._due() or any(self._lines[_PAGE + 1 : rank])):
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                break
            page_s = self._next_page_s()
            self._changed.wait(left_s if page_s is None else min(left_s, page_s))

    def _cut_or_give_up(self, alert: _Alert) -> None:
        """The door takes no such alert: once more with less text, at once, and then no more."""
        with self._changed:
            if alert.cut:
                self.failed += 1
                return
            alert.cut = True
            self._lines[alert.rank].appendleft(alert)


def _address(url: str) -> tuple[SplitResult, str, int | None]:
    """What a URL leads to, its host and port. Raises `WebhookRefused` for what no request can."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError as wrong:
        raise WebhookRefused(f"the alert webhook {url!r} leads nowhere: {wrong}") from wrong
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise WebhookRefused(f"the alert webhook {url!r} is no http or https address")
    if not all("!" <= each <= "~" for each in parts.path + parts.query):
        raise WebhookRefused(f"the alert webhook {url!r}: write what is not ASCII as %XX")
    return parts, host, port


def webhook(url: str) -> OutwardPager:
    """A pager that posts to a URL. Raises `WebhookRefused`."""
    parts, host, port = _address(url)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"

    def deliver(alert: bytes) -> None:
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        connection = (
            http.client.HTTPConnection(host, port, timeout=TRY_S_MAX)
            if tls is None
            else http.client.HTTPSConnection(host, port, timeout=TRY_S_MAX, context=tls)
        )
        try:
            connection.request("POST", target, alert, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except http.client.HTTPException as wrong:
            raise ConnectionError(f"the webhook's answer: {wrong}") from wrong
        finally:
            connection.close()
        if status in _FOR_GOOD:
            raise Refused(f"the webhook answered {status}")
        if not 200 <= status < 300:
            raise ConnectionError(f"the webhook answered {status}")

    return OutwardPager(deliver, name=WEBHOOK_DOOR)


def command(words: Sequence[str]) -> OutwardPager:
    """A pager that runs a program for each alert, the alert on its standard input."""

    def deliver(alert: bytes) -> None:
        try:
            subprocess.run(  # noqa: S603 - what the person configured
                list(words),
                input=alert,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TRY_S_MAX,
                check=True,
            )
        except subprocess.SubprocessError as failed:
            raise ConnectionError(f"the alert command failed: {failed}") from failed

    return OutwardPager(deliver, name=COMMAND_DOOR)


def outward_pagers(environment: Mapping[str, str]) -> list[OutwardPager]:
    """The doors that leave the machine, as the environment names them. Raises `WebhookRefused`.

    `FUSEBOARD_ALERT_WEBHOOK` is a URL, `FUSEBOARD_ALERT_COMMAND` a program with its words.
    """
    url, words = _configured(environment)
    return [*([webhook(url)] if url else []), *([command(words)] if words else [])]


def door_marks(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Each door by its name and a digest of where it leads: told apart, and no secret shown."""
    url, words = _configured(environment)
    doors = ((WEBHOOK_DOOR, url), (COMMAND_DOOR, "\0".join(words)))
    return tuple(f"{name} {_digest(leads)}" for name, leads in doors if leads)


def _configured(environment: Mapping[str, str]) -> tuple[str, list[str]]:
    words = environment.get(COMMAND_NAME, "").split()[:COMMAND_WORDS_MAX]
    return environment.get(WEBHOOK_NAME, ""), words


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_DIGITS]
