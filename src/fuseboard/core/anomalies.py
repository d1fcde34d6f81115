"""What is odd about one symbol's market data: moves, volumes and silences beyond its own habit.

A *habit* is the last `HABIT_MAX` price changes and trade sizes of a symbol, with their sums. A
change is odd when it lies more than k standard deviations from their mean. With n changes of sum S
and sum of squares Q that is |n·d - S| > k·sqrt(n·Q - S²); both sides are squared, so nothing is
rounded and no root is drawn. A habit judges once it knows `HABIT_MIN` changes that differ.
"""

from typing import Final

from msgspec import Struct

from fuseboard.policy.data_rules import DataRules
from fuseboard.vocabulary.money import NANOS

HABIT_MAX: Final = 100
HABIT_MIN: Final = 20
CALM_NS: Final = 60 * NANOS
"""An oddity of one kind is said again only after this long without one."""


class Rolling(Struct):
    """The last `HABIT_MAX` integers, with their sum and the sum of their squares."""

    values: list[int] = []
    at: int = 0
    total: int = 0
    squares: int = 0

    def add(self, value: int) -> None:
        """Take one value in, and let the oldest go."""
        if len(self.values) < HABIT_MAX:
            self.values.append(value)
        else:
            oldest = self.values[self.at]
            self.total -= oldest
            self.squares -= oldest * oldest
            self.values[self.at] = value
            self.at = (self.at + 1) % HABIT_MAX
        self.total += value
        self.squares += value * value


class Habit(Struct):
    """How one symbol usually moves and trades, and when it last did otherwise, by kind."""

    changes: Rolling
    sizes: Rolling
    heard_boot_ns: int = 0
    said: dict[str, int] = {}
    """By kind, the boot time of the last oddity."""

    def moved(self, change_nanos: int) -> None:
        """A mark was taken that is this far from the one before."""
        self.changes.add(change_nanos)

    def is_news(self, kind: str, boot_ns: int) -> bool:
        """Whether an oddity of this kind should be said: there was none for `CALM_NS`."""
        last_boot_ns = self.said.get(kind)
        self.said[kind] = boot_ns
        return last_boot_ns is None or boot_ns - last_boot_ns > CALM_NS


def new_habit() -> Habit:
    """A habit that knows nothing yet."""
    return Habit(changes=Rolling(), sizes=Rolling())


def moves_oddly(habit: Habit, change_nanos: int, rules: DataRules) -> bool:
    """Whether a change lies further from the usual than the policy's standard deviations."""
    deviations_nanos, changes = rules.price_change_deviations, habit.changes
    count = len(changes.values)
    if deviations_nanos is None or count < HABIT_MIN:
        return False
    spread = count * changes.squares - changes.total * changes.total
    if spread == 0:
        return False  # it never moved differently: there is no measure yet
    distance = count * change_nanos - changes.total
    return distance * distance * NANOS * NANOS > deviations_nanos * deviations_nanos * spread


def trades_oddly(habit: Habit, size_nanos: int, rules: DataRules) -> bool:
    """Whether a trade's size is more than the policy's multiple of the average; takes it in."""
    times_nanos, sizes = rules.volume_spike_nanos, habit.sizes
    count = len(sizes.values)
    odd = (
        times_nanos is not None
        and count >= HABIT_MIN
        and size_nanos * count * NANOS > times_nanos * sizes.total
    )
    sizes.add(size_nanos)
    return odd


def looked_for(rules: DataRules) -> bool:
    """Whether the policy looks for anything of this."""
    return (
        rules.price_change_deviations is not None
        or rules.volume_spike_nanos is not None
        or rules.gap_ns_max is not None
    )
