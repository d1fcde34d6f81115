"""Evidence of denials that the kernel did not make."""

from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.reasons import Reason


class RecordDenials(Act, frozen=True, tag=True):
    """Evidence that the gateway denied requests of a strategy itself: how many, for one reason."""

    strategy: str
    reason: Reason
    count: int
