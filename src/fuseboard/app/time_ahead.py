"""A state whose time stands ahead of this machine's clock: said, for no broker is to blame for it.

Time never goes back inside. Once a clock that was ahead is in the journal, our wall time stands
still until the machine's passes it; what counts in boot time goes on.
"""

from fuseboard.control.render import utc
from fuseboard.core.periods import CLOCKS_APART_NS_MAX
from fuseboard.vocabulary.wall_time import shown_span


def time_about(stands_ns: int, ahead_ns: int) -> dict[str, str]:
    """For the status: where our wall time stands, while it is ahead by more than honest clocks are.

    `ahead_ns` is by how much of the machine's.
    """
    if ahead_ns <= CLOCKS_APART_NS_MAX:
        return {}
    says = f"stands at {utc(stands_ns)}, {shown_span(ahead_ns)} ahead of this machine's clock"
    return {"time": f"{says}: see docs/runbook.md, time stands"}


def told_at_start(stands_ns: int, ahead_ns: int) -> list[str]:
    """What people are told of it when a gateway starts; mostly nothing."""
    return [
        f"this state's {key} {says}. A clock that was ahead is in its journal, and time never goes"
        " back. Where the broker's clock agrees with this machine's, that one is right, and only"
        " reductions pass until this machine's clock is there"
        for key, says in time_about(stands_ns, ahead_ns).items()
    ]
