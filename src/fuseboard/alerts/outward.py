"""Alerts that leave the machine: a webhook, a command. Each has a thread of its own and is retried.

Nothing waits for them: an alert is put into a bounded queue, and when that is full it is dropped
and counted. The webhook gets `POST` with one JSON object (`severity`, `code`, `scope`, `text`,
`host`, `wall_ns`, and `content` for chat services that show that field); the command gets the same
object on its standard input.
"""

import hashlib
import http.client
import json
import queue
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

ALERTS_MAX: Final = 200
TRIES_MAX: Final = 5
TRY_S_MAX: Final = 10.0
PAUSE_S: Final = 1.0
CLOSE_S_MAX: Final = 15.0
COMMAND_WORDS_MAX: Final = 64
WEBHOOK_NAME: Final = "FUSEBOARD_ALERT_WEBHOOK"
COMMAND_NAME: Final = "FUSEBOARD_ALERT_COMMAND"
WEBHOOK_DOOR: Final = "alert-webhook"
COMMAND_DOOR: Final = "alert-command"
_MARK_DIGITS: Final = 12


class WebhookRefused(ValueError):
    """The address of a webhook is none; the message says what is expected."""


class OutwardPager:
    """A `Pager` that hands each alert to `deliver`, which raises `OSError` when it failed.

    `delivered` counts alerts that were taken, `failed` those given up after `TRIES_MAX` tries,
    `dropped` those that found no room; `failure` says why the last try failed.
    """

    def __init__(self, deliver: Callable[[bytes], None], *, name: str) -> None:
        self.name = name
        self.delivered = 0
        self.failed = 0
        self.failure = ""
        self.dropped = 0
        self._deliver = deliver
        self._alerts: queue.Queue[bytes | None] = queue.Queue(ALERTS_MAX)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def page(self, severity: str, code: str, scope: str, text: str) -> None:
        """Queue one alert; never blocks."""
        alert = {
            "severity": severity,
            "code": code,
            "scope": scope,
            "text": text,
            "host": socket.gethostname(),
            "wall_ns": time.time_ns(),
            "content": f"{severity.upper()} {code} {scope}: {text}",
        }
        try:
            self._alerts.put_nowait(json.dumps(alert).encode())
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Deliver what is queued, for at most `CLOSE_S_MAX` seconds, and stop."""
        try:
            self._alerts.put(None, timeout=CLOSE_S_MAX)
        except queue.Full:
            return  # the door is stuck; the thread is a daemon and ends with the process
        self._closing.set()
        self._thread.join(CLOSE_S_MAX)

    def _run(self) -> None:
        while (alert := self._alerts.get()) is not None:
            for number in range(TRIES_MAX):
                try:
                    self._deliver(alert)
                    self.delivered += 1
                    break
                except OSError as error:
                    self.failure = str(error)
                    self._closing.wait(PAUSE_S * 2**number)
            else:
                self.failed += 1


def webhook(url: str) -> OutwardPager:
    """A pager that posts to a URL. Raises `WebhookRefused`."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WebhookRefused(f"the alert webhook {url!r} is no http or https address")
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"

    def deliver(alert: bytes) -> None:
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        host, port = str(parts.hostname), parts.port
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
