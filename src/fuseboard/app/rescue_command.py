"""`fuseboard rescue`: out of the market without a gateway, for a person who has none that answers.

In this order, and no step before the one above it is done:

1. Nobody else is at the broker, or it is left to them (`rescue_alone.py`); a gateway that runs is
   only killed where that was asked for.
2. What is open is shown, and the person confirms.
3. The halts register is latched: the next start is killed until a named person resets it.
4. A gateway that is to be killed is, and seen dead.
5. Everything is cancelled and closed (`rescue/rescuing.py`), as the guardian does it: under the
   same ids and in the same journal, so that either goes on where the other ended and the next
   start takes the closes into its book.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final

from fuseboard.alerts.outward import WebhookRefused, outward_pagers
from fuseboard.app.broker_choice import account_of
from fuseboard.app.halt_apart import offline_halt
from fuseboard.app.rescue_alone import Alone
from fuseboard.app.rescue_terms import SAY_WHERE, Way, wanted_of, way_of
from fuseboard.app.secrecy import forget_broker_secrets
from fuseboard.control.asked import AskedRefused, HaltAsked, halt_of
from fuseboard.control.halting import unix_user
from fuseboard.control.render import printable
from fuseboard.control.saying import said_beside, say_json
from fuseboard.control.settings import settings
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.guardian.orders import KEY_NAMES, Place
from fuseboard.halts.hidden import hide_this_process
from fuseboard.halts.register import RegisterUnwritable
from fuseboard.rescue.journal import GuardianJournal
from fuseboard.rescue.outcome import Outcome
from fuseboard.rescue.rescuing import Doors, Rescue, Wanted
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.guardian_inputs import GuardianClose, Sender
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

LEFT: Final = 4
"""The exit code where something is left open, or may still work."""
WORDS: Final = "out of the market"
Say = Callable[[str], None]


def command_rescue(options: argparse.Namespace) -> int:
    """Cancel everything and close at the broker; the exit code. Raises `StateRefused`."""
    hide_this_process()  # it holds the broker's key
    state = StateDirectory(options.state)
    asked = HaltAsked(
        operator=options.operator.strip() or unix_user(), reason=options.reason, level="kill"
    )
    try:
        halt_of(asked, 0)
    except AskedRefused as refused:
        raise StateRefused(str(refused)) from refused
    environment = settings()
    forget_broker_secrets()
    has_state = state.register_file.exists() or state.identity_file.exists()
    if not has_state and not options.base_url:
        raise StateRefused(
            f"there is no state in {state.path}: choose another with --state DIR. Without any,"
            f" {SAY_WHERE}"
        )
    with ExitStack() as held:
        way = way_of(state, options.base_url, environment)
        alone = Alone(state, held, kills=options.kill_gateway) if has_state else None
        if alone is not None:
            alone.look()
        say = _nothing if options.json else _printing(held.enter_context(said_beside()))
        pagers = held.enter_context(_pagers(environment, say))
        rescue = _Rescuing(state, options, asked, way, alone, say, pagers)
        rescue.confirm()
        rescue.secure(held)
        return rescue.act()


def _nothing(_text: str) -> None:
    """Programs read the last document alone."""


def _printing(say: Say) -> Say:
    """What a broker answers may not steer the terminal."""
    return lambda text: say(printable(text))


@contextmanager
def _pagers(environment: dict[str, str], say: Say) -> Iterator[list[Pager]]:
    """Who hears the pages: the terminal, and the doors of the environment, which tell others."""
    try:
        outward = outward_pagers(environment)
    except WebhookRefused as refused:
        say(f"nobody else is told: {refused}")
        outward = []
    try:
        yield [_Lines(say), *outward]
    finally:
        for door in outward:
            door.close()


class _Lines:
    """A pager that speaks among the other lines, in their order."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Say one alert."""
        del age_ns
        self._say(f"{_now()} {severity.upper()} {code} {scope}: {text}")


def _now() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())


class _Rescuing:
    """One rescue by one person: `confirm`, `secure`, `act`."""

    def __init__(
        self,
        state: StateDirectory,
        options: argparse.Namespace,
        asked: HaltAsked,
        way: Way,
        alone: Alone | None,
        say: Say,
        pagers: list[Pager],
    ) -> None:
        self._state = state
        self._options = options
        self._asked = asked
        self._way = way
        self._alone = alone
        self._say = say
        self._pagers = pagers
        self._place = Place(state.path)
        self._run_ns = 0 if alone is None else alone.run_ns()
        self._journal: GuardianJournal | None = None
        if alone is not None:
            self._journal = GuardianJournal(self._place.journal_file, Sender.RESCUE)
        doors = Doors(
            who="the rescue",
            note=self._note,
            page=self._page,
            moved=lambda: None,
            disk=_no_disk if self._journal is None else self._journal.disk.do,
            latches_file=None if alone is None else self._place.latches_file,
            ends_without_key=True,
        )
        self._rescue = Rescue(way.terms, (way.broker.key_id, way.broker.secret), doors)

    def confirm(self) -> None:
        """Show what is open and wait for the person's word. Raises `StateRefused` without it."""
        if self._options.yes:
            return
        terms = self._way.terms
        what = "cancel every order of" if self._options.cancel_only else "leave the market with"
        sys.stderr.write(f"{asyncio.run(self._rescue.says_open())}\n")
        sys.stderr.write(f"This will {what} account {terms.account!r} at {terms.base_url}.\n")
        sys.stderr.write(f"Type '{WORDS}' to go on: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != WORDS:
            raise StateRefused("it was not confirmed (--yes does without): nothing was done")

    def secure(self, held: ExitStack) -> None:
        """Latch, kill where that was asked for, and be the only one on this machine.

        Raises `StateRefused`.
        """
        if self._alone is None:
            self._say(
                "there is no state here: nothing is latched or written down. A gateway that trades"
                " this account elsewhere trades on: stop it"
            )
        else:
            self._latch()
            self._note("rescue", detail=f"{self._asked.operator}: {self._reason()}")
            killed = self._alone.end_gateway()
            if killed:
                self._note("killed", detail=killed)
        held.enter_context(closing(account_of(self._way.broker, self._state)))
        self._page(f"{self._asked.operator} leaves the market without a gateway: {self._reason()}")

    def _reason(self) -> str:
        return self._asked.reason or "no reason given"

    def _latch(self) -> None:
        """A register that takes nothing holds nobody in the market; what that means is said."""
        try:
            answer = offline_halt(self._state, self._asked, why="a person's rescue begins")
        except (RegisterUnwritable, OSError) as failure:
            self._page(f"NOT latched, start no gateway until it is: {failure}")
            return
        if answer.accepted:
            self._say("; ".join(filter(None, (answer.message, answer.note))))
        else:
            self._page(f"NOT latched, start no gateway until it is: {answer.message}")

    def act(self) -> int:
        """Cancel and close; say what it came to. The exit code."""
        symbols = tuple(each.upper() for each in self._options.symbol or ())
        cancel_only = self._options.cancel_only
        wanted = wanted_of(self._state, self._run_ns, symbols, cancel_only=cancel_only)
        try:
            outcome = asyncio.run(self._rescue.run(wanted, dead_at_s=time.monotonic()))
        except KeyboardInterrupt:
            self._page("the rescue was interrupted: look at the broker; the same command goes on")
            raise
        else:
            self._note("done" if outcome.has_key else "no key", detail=outcome.says())
        finally:
            if self._journal is not None:
                self._journal.close()
        self._page(f"the rescue is done: {outcome.says()}")
        absent = [at for at in symbols if at not in {each.symbol for each in outcome.left}]
        if absent:
            self._say(f"no position was held in {', '.join(absent)}: mind the spelling")
        if not outcome.has_key:
            terms = self._way.terms
            self._say(
                f"set {' and '.join(KEY_NAMES)} of account {terms.account!r} at {terms.base_url} as"
                " the broker's page shows them now, and give the same command again, or cancel and"
                " close at that page"
            )
        is_out = _is_out(outcome, wanted) and not absent
        if self._alone is not None:
            self._say(
                "the account is KILLED: the next start takes these closes into its book, and trades"
                f" after `fuseboard reset --state {self._state.path} --operator NAME --reason TEXT`"
            )
        if self._options.json:
            left = {each.symbol: each.says() for each in outcome.left if each.left_nanos != 0}
            say_json({"out": is_out, "outcome": outcome.says(), "left": left})
        return 0 if is_out else LEFT

    def _note(self, act: str, *, detail: str = "", close: GuardianClose | None = None) -> None:
        if self._journal is not None:
            self._journal.write(act, run_ns=self._run_ns, detail=detail, close=close)
        self._say(f"{_now()} {act}: {detail}" if detail else f"{_now()} {act}")

    def _page(self, text: str) -> None:
        for pager in self._pagers:
            pager.page(Severity.PAGE.value, Reason.OPERATOR.value, ACCOUNT_SCOPE, text)


def _no_disk(_call: Callable[[], object]) -> None:
    """Without a state nothing is kept."""


def _is_out(outcome: Outcome, wanted: Wanted) -> bool:
    """Whether nothing works any more and nothing that was to be closed is open."""
    if not outcome.cancelled:
        return False
    if not wanted.closes():
        return True
    if outcome.held is None:
        return False
    open_still = [*(each.symbol for each in outcome.held), *outcome.unread]
    return not any(map(wanted.trip_of, open_still))
