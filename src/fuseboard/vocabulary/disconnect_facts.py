"""A strategy that is gone and one that is back, as the gateway judged it, and what is shown of it.

Only the passage from one to the other is told; requests and streams themselves are not.
"""

from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.actions import ConnectedBy
from fuseboard.vocabulary.fact import Fact


class StrategyLost(Fact, frozen=True, tag=True):
    """A strategy has been away for as long as the policy allows; told again for later orders.

    `absent_ns` says for how long, by the monotonic clock, `by` what was missed.
    """

    strategy: str
    by: ConnectedBy
    absent_ns: int


class StrategySeen(Fact, frozen=True, tag=True):
    """A strategy that was lost is there again."""

    strategy: str


class PublishLost(Act, frozen=True, tag=True):
    """A strategy that is lost, since when (wall time; 0: it is back), why, and what became of its
    orders: how many are cancelled, and how many stay because they protect.
    """

    strategy: str
    since_wall_ns: int = 0
    why: str = ""
    cancelled: int = 0
    kept: int = 0
