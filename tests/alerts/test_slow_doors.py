"""A door that takes alerts too late is told of once, and again only after it was in time."""

import pytest

from fuseboard.alerts.delivery_times import IN_TIME_NS, DeliveryTimes
from fuseboard.alerts.slow_doors import CALM_NS, SlowDoors
from fuseboard.vocabulary.money import NANOS


class Door:
    """A door whose times are set by hand."""

    def __init__(self, name: str = "alert-webhook") -> None:
        self.name = name
        self.times = DeliveryTimes()
        self.waits_ns = 0

    def oldest_ns(self) -> int:
        return self.waits_ns


class Scene:
    """A watched door, a clock, and what was told."""

    def __init__(self) -> None:
        self.door, self.quick, self.now_ns = Door(), Door("alert-command"), 7 * NANOS
        self.told: list[str] = []
        self._watch = SlowDoors([self.quick, self.door], [self], lambda: self.now_ns)

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        assert (severity, code, scope, age_ns) == ("warning", "alerts_late", "account", 0)
        self.told.append(text)

    def look(self, *, after_ns: int = NANOS) -> int:
        """How often anything was told until now."""
        self.now_ns += after_ns
        self._watch.look()
        return len(self.told)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_is_in_time_is_not_told(scene: Scene) -> None:
    scene.door.waits_ns = IN_TIME_NS
    scene.door.times.took(IN_TIME_NS)
    assert scene.look() == 0


def test_one_that_was_taken_too_late_is_told_once_and_so_is_a_door_that_stays_slow(
    scene: Scene,
) -> None:
    scene.door.times.took(IN_TIME_NS + 1)
    assert scene.look() == 1
    assert "alert-webhook takes alerts later than 5 s: one came 5.001 s after" in scene.told[0]
    for _ in range(100):
        scene.door.times.took(IN_TIME_NS + 1)
        assert scene.look() == 1


def test_one_that_still_waits_is_told_before_anybody_takes_it(scene: Scene) -> None:
    scene.door.waits_ns = IN_TIME_NS + 1
    assert scene.look() == 1
    assert "one waits 5.001 s after its event" in scene.told[0]


def test_a_door_is_told_of_again_only_after_it_took_something_and_was_calm(scene: Scene) -> None:
    scene.door.times.took(IN_TIME_NS + 1)
    assert scene.look() == 1
    assert scene.look(after_ns=CALM_NS) == 1
    scene.door.times.took(IN_TIME_NS + 1)
    assert scene.look() == 1, "nothing was taken in time since"
    scene.door.times.took(1)
    assert scene.look(after_ns=CALM_NS - 1) == 1
    scene.door.times.took(IN_TIME_NS + 1)
    assert scene.look(after_ns=0) == 1, "it was not calm for long enough"
    scene.door.times.took(1)
    assert scene.look(after_ns=CALM_NS) == 1
    scene.door.times.took(IN_TIME_NS + 1)
    assert scene.look() == 2


def test_each_door_has_a_gauge_of_its_own(scene: Scene) -> None:
    scene.door.waits_ns = scene.quick.waits_ns = 2 * IN_TIME_NS
    assert scene.look() == 2
    assert [text.split()[0] for text in scene.told] == ["alert-command", "alert-webhook"]
