"""A halts register in memory: what is played in the lab leaves no state behind but its journal."""

from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment


class MemoryRegister:
    """Latches in memory, as `Register`."""

    def __init__(self) -> None:
        self._latched: dict[str, int] = {}

    def latch(self, halt: LatchHalt, moment: Moment) -> None:
        """A halt, as of now."""
        del moment
        self._latched[halt.scope] = halt.halt_epoch

    def clear(
        self, scope: str, halt_epoch: int, moment: Moment, *, operator: str, reason: str
    ) -> None:
        """A reset."""
        del halt_epoch, moment, operator, reason
        self._latched.pop(scope, None)

    def halts(self, strategy: str, symbol: str) -> bool:
        """Whether account, strategy or symbol are latched."""
        asked = (ACCOUNT_SCOPE, f"strategy:{strategy}", f"symbol:{symbol}")
        return any(scope in self._latched for scope in asked)
