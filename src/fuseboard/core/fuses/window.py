"""The highest of the last so many sessions' peaks, without looking at them all.

A monotonic deque (Lemire, "Streaming Maximum-Minimum Filter Using No More than Three Comparisons
per Element", 2006): a peak that a later one reaches can never be the highest again and is dropped,
so what is left falls from the oldest to the newest and the highest is the oldest. Each peak enters
and leaves once: a push is O(1) amortised, whatever the window. The deque lies in a ring, because
taking the oldest out of a list moves all that follow.
"""

from msgspec import Struct


class PeakWindow(Struct, kw_only=True):
    """The peaks of the last `days` closed sessions; all of it is in the snapshot.

    Peaks are atto-units; any integers will do.
    """

    days: int
    """How many sessions are looked back on; with 0 nothing is ever remembered."""
    sessions: int = 0
    """How many have been pushed: the number of the next one."""
    first: int = 0
    """Where in the ring the oldest, and so the highest, lies."""
    count: int = 0
    numbers: list[int] = []
    """The ring: the session of each peak. It grows to `days` as it is needed."""
    peaks_attos: list[int] = []

    def push(self, peak_attos: int) -> None:
        """Remember the peak of a session that closed; the one that is now too old is forgotten."""
        days = self.days
        if days <= 0:
            return
        numbers, peaks = self.numbers, self.peaks_attos
        first, count = self.first, self.count
        if count and numbers[first] <= self.sessions - days:
            first = (first + 1) % days
            count -= 1
        while count and peaks[(first + count - 1) % days] <= peak_attos:
            count -= 1
        at = (first + count) % days
        if at == len(numbers):
            numbers.append(self.sessions)
            peaks.append(peak_attos)
        else:
            numbers[at], peaks[at] = self.sessions, peak_attos
        self.first, self.count = first, count + 1
        self.sessions += 1

    def peak(self) -> int | None:
        """The highest of the remembered peaks; None before the first."""
        return self.peaks_attos[self.first] if self.count else None

    def rescale(self, *, before_attos: int, after_attos: int) -> None:
        """Money moved: scale every peak by after / before, rounded up, so that losses stay."""
        assert before_attos > 0, before_attos
        assert after_attos > 0, after_attos
        self.peaks_attos = [-(-peak * after_attos // before_attos) for peak in self.peaks_attos]

    def shift(self, attos: int) -> None:
        """Move every peak by so much, so that losses stay in money."""
        self.peaks_attos = [peak + attos for peak in self.peaks_attos]

    def forget(self) -> None:
        """Forget every session: a person took a new mark."""
        self.first = self.count = 0

    def resized(self, days: int) -> "PeakWindow":
        """The same sessions in a window of another length; what is too old for it is left out."""
        other = PeakWindow(days=days, sessions=self.sessions)
        for offset in range(self.count):
            at = (self.first + offset) % self.days
            if self.numbers[at] >= self.sessions - days:
                other.numbers.append(self.numbers[at])
                other.peaks_attos.append(self.peaks_attos[at])
                other.count += 1
        return other
