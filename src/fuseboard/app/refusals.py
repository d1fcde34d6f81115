"""What a command may refuse with: its message says in one sentence what to do.

They come from every room, so this is imported when something was raised, and not before.
"""

import sqlite3
from typing import Final

from fuseboard.alerts.outward import WebhookRefused
from fuseboard.control.client import GatewayUnreachable
from fuseboard.control.state_directory import StateRefused
from fuseboard.feeds.tapes.tape import TapeUnreadable
from fuseboard.gateway.keys import KeysUnreadable, StrategyNameRefused
from fuseboard.halts.register import RegisterExists, RegisterUnwritable
from fuseboard.journal.file import JournalAbsent, JournalDamaged, JournalExists, JournalLocked
from fuseboard.lab.report.plotting import PlottingMissing
from fuseboard.lab.result import ResultUnreadable
from fuseboard.lab.signals import StrategyFailed
from fuseboard.lab.stage import TrialImpossible
from fuseboard.lab.strategies.by_name import StrategyUnknown
from fuseboard.lab.study.page import PageUnfit
from fuseboard.lab.study.rows import StudyUnreadable
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.runtime.loop import NodeStopped
from fuseboard.upkeep.backup_files import BackupUnusable

REFUSALS: Final = (
    BackupUnusable,
    GatewayUnreachable,
    JournalAbsent,
    JournalDamaged,
    JournalExists,
    JournalLocked,
    KeysUnreadable,
    PageUnfit,
    PlottingMissing,
    PolicyRefused,
    RegisterExists,
    RegisterUnwritable,
    ResultUnreadable,
    StateRefused,
    StrategyFailed,
    StrategyNameRefused,
    StrategyUnknown,
    StudyUnreadable,
    TapeUnreadable,
    TrialImpossible,
    WebhookRefused,
    NodeStopped,
    sqlite3.Error,
)
