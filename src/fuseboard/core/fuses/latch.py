"""The latch: a fuse without numbers. Operators, the register and faults of ours move it.

One per scope, made when first asked for. It uses the same machine as every fuse; `ARMED` and
`MONITORING` both mean that nobody holds this scope.
"""

from fuseboard.core.fuses.fuse import Fuse
from fuseboard.vocabulary.reasons import Reason


class Latch(Fuse, kw_only=True):
    """One latch on one scope."""

    reason: Reason = Reason.ALLOWED
