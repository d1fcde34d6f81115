"""What held from when: postures of scopes, tiers of symbols, and how long each."""

from fuseboard.lab.result import BANDS_MAX, Band


class Bands:
    """Changes in order, the first `BANDS_MAX` of them kept, and time spent, of all of them."""

    def __init__(self) -> None:
        self.left_out = 0
        self.changes = 0
        self._bands: list[Band] = []
        self._now: dict[str, tuple[str, int]] = {}
        self._spent: dict[str, dict[str, int]] = {}

    def change(
        self, subject: str, at_ns: int, value: str, *, code: str = "", score: int = 0
    ) -> bool:
        """From now on this holds; whether it did not before."""
        before = self._now.get(subject)
        if before is not None:
            if before[0] == value:
                return False
            self.changes += 1
            self._spend(subject, before, at_ns)
        self._now[subject] = value, at_ns
        if len(self._bands) < BANDS_MAX:
            self._bands.append(
                Band(subject=subject, since_ns=at_ns, value=value, code=code, score=score)
            )
        else:
            self.left_out += 1
        return True

    def end(self, at_ns: int) -> None:
        """It is over: what holds now held until here."""
        for subject, now in self._now.items():
            self._spend(subject, now, at_ns)
            self._now[subject] = now[0], at_ns

    def bands(self) -> tuple[Band, ...]:
        """Those that were kept."""
        return tuple(self._bands)

    def spent_ns(self, subject: str) -> dict[str, int]:
        """How long each value held, so far as it has ended."""
        return dict(self._spent.get(subject, {}))

    def _spend(self, subject: str, held: tuple[str, int], at_ns: int) -> None:
        value, since_ns = held
        spent = self._spent.setdefault(subject, {})
        spent[value] = spent.get(value, 0) + at_ns - since_ns
