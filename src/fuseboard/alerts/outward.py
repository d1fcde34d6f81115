"""Alerts that leave the machine: a webhook, a command. Each has threads of its own and is retried.

Nothing waits for them: an alert is put into a bounded line, one for pages and one for lesser
alerts, and when that is full the least of them is dropped and counted; `status` shows the counts
and how long the slowest took. The webhook gets `POST` with one JSON object (`severity`, `code`,
`scope`, `text`, `host`, `wall_ns`, and `content` for chat services that show that field); the
command gets the same object on its standard input.
"""

import hashlib
import http.client
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fuseboard.alerts.delivery_times import DeliveryTimes
from fuseboard.alerts.line import Alert, Line
from fuseboard.halts.heartbeats import boot_ns

TRIES_MAX: Final = 6
TRY_S_MAX: Final = 10.0
PAUSE_S: Final = 0.5
"""Before the second try; each later pause is twice as long."""
PAUSE_S_MAX: Final = 30.0
CLOSE_S_MAX: Final = 15.0
PAGES_AT_ONCE_MAX: Final = 4
LESSER_AT_ONCE_MAX: Final = 2
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
_FOR_GOOD: Final = (400, 413, 422)
"""Refusals that speak of what was sent; any other may pass, or be mended at the door."""


class WebhookRefused(ValueError):
    """The address of a webhook is none; the message says what is expected."""


class Refused(ConnectionError):
    """The door will never take this alert as it is."""


class OutwardPager:
    """A `Pager` that hands each alert to `deliver`, which raises when it failed.

    Pages and lesser alerts have a line and threads each: neither waits for the other, nor for a
    try that hangs (`line.py`). Where there is no room the newest of the least severe is dropped,
    a page only for pages.

    What failed is tried again after a pause that grows up to `PAUSE_S_MAX`, and each `PAUSE_S`
    while we close; what waits so keeps no other waiting. A lesser alert is given up after
    `TRIES_MAX` tries. A page never is, because what it tells may be why the network is away. Only
    what the door refuses for good (`Refused`) is given up, after one more try with less text.

    `delivered` counts alerts that were taken, `times` how long after their events; `failed` those
    given up, also at the close, `dropped` those that found no room; `failure` says why the last
    failed try did.
    """

    def __init__(self, deliver: Callable[[bytes], None], *, name: str) -> None:
        self.name = name
        self.delivered = 0
        self.failed = 0
        self.failure = ""
        self.dropped = 0
        self.times = DeliveryTimes()
        self._deliver = deliver
        self._pages = Line(tries_at_once_max=PAGES_AT_ONCE_MAX)
        self._lesser = Line(tries_at_once_max=LESSER_AT_ONCE_MAX)
        self._changed = threading.Condition()
        self._closing = False
        self._closed_s = 0.0
        self._threads = [
            threading.Thread(target=partial(self._run, line), name=name, daemon=True)
            for line in (self._pages, self._lesser)
            for _ in range(line.tries_at_once_max)
        ]
        for thread in self._threads:
            thread.start()

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Queue one alert, whose event is so long ago; never waits for its delivery."""
        said: dict[str, object] = {
            "severity": severity,
            "code": code,
            "scope": scope,
            "text": text,
            "host": socket.gethostname(),
            "wall_ns": time.time_ns(),
        }
        rank = RANKS.index(severity) if severity in RANKS else _PAGE
        alert = Alert(said, rank=rank, event_ns=boot_ns() - age_ns)
        with self._changed:
            self.dropped += not self._line(alert).add(alert)
            self._changed.notify_all()

    def oldest_ns(self) -> int:
        """How long ago the oldest event was whose alert nobody has taken yet; 0: all are taken."""
        with self._changed:
            untaken = [*self._pages.untaken(), *self._lesser.untaken()]
        return max((boot_ns() - alert.event_ns for alert in untaken), default=0)

    def says(self) -> str:
        """For the status: what became of the alerts since the start."""
        counts = f"{self.delivered} delivered, {self.failed} given up, {self.dropped} dropped"
        waiting = len(self._pages) + len(self._lesser)
        parts = [f"{self.name}: {counts}" + (f", {waiting} waiting" if waiting else "")]
        parts += [self.times.says()] if self.delivered else []
        parts += [f"last failure: {self.failure}"] if self.failure else []
        return "; ".join(parts)

    def close(self) -> None:
        """Deliver what is queued, for at most `CLOSE_S_MAX` seconds, and stop."""
        with self._changed:
            self._closing, self._closed_s = True, time.monotonic() + CLOSE_S_MAX
            self._pages.hurry()
            self._lesser.hurry()
            self._changed.notify_all()
        for thread in self._threads:  # daemons: where the door is stuck they end with the process
            thread.join(max(0.0, self._closed_s - time.monotonic()))

    def _line(self, alert: Alert) -> Line:
        return self._pages if alert.rank == _PAGE else self._lesser

    def _run(self, line: Line) -> None:
        while (alert := self._next(line)) is not None:
            try:
                self._deliver(alert.body())
            except Refused as refused:
                self._cut_or_give_up(line, alert, str(refused))
            except DELIVERY_FAILURES as error:
                self._try_later(line, alert, str(error) or type(error).__name__)
            else:
                with self._changed:
                    self._end(line, alert)
                    self.delivered += 1
                    self.times.took(boot_ns() - alert.event_ns)

    def _next(self, line: Line) -> Alert | None:
        """Whose turn it is; None: closing, and nothing waits."""
        with self._changed:
            while (alert := line.begin(now_s := time.monotonic())) is None:
                if self._closing and not line:
                    return None
                self._changed.wait(line.rests_s(now_s))
            self._changed.notify_all()  # whoever takes the next one waits for this to hang
            return alert

    def _end(self, line: Line, alert: Alert) -> None:
        line.end(alert)
        self._changed.notify_all()

    def _try_later(self, line: Line, alert: Alert, failure: str) -> None:
        """Let it wait for its pause, or give it up."""
        with self._changed:
            self._end(line, alert)
            self.failure = failure
            alert.tries += 1
            grown_s = min(PAUSE_S * 2 ** (min(alert.tries, TRIES_MAX) - 1), PAUSE_S_MAX)
            alert.due_s = time.monotonic() + (PAUSE_S if self._closing else grown_s)
            is_over = self._closing and time.monotonic() >= self._closed_s
            if is_over or (alert.rank != _PAGE and alert.tries >= TRIES_MAX):
                self.failed += 1
            else:
                self.dropped += not line.add(alert)

    def _cut_or_give_up(self, line: Line, alert: Alert, failure: str) -> None:
        """The door takes no such alert: once more with less text, at once, and then no more."""
        with self._changed:
            self._end(line, alert)
            self.failure = failure
            if alert.cut:
                self.failed += 1
                return
            alert.cut = True
            self.dropped += not line.add(alert)


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
