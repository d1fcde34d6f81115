"""Bands of postures and tiers as bars that lie on the time axis."""

from html import escape

from fuseboard.lab.report.mark_groups import Columns
from fuseboard.lab.report.zones import clock
from fuseboard.lab.result import Band, TrialResult


def strip_groups(result: TrialResult) -> dict[str, dict[str, Columns]]:
    """By subject and value: `x` where a band begins and `until` where it ends, UTC ns; `text`."""
    by_subject: dict[str, list[Band]] = {}
    for band in (*result.postures, *result.tiers):
        by_subject.setdefault(band.subject, []).append(band)
    return {subject: _groups(result, bands) for subject, bands in by_subject.items()}


def _groups(result: TrialResult, bands: list[Band]) -> dict[str, Columns]:
    groups: dict[str, Columns] = {}
    ends_ns = [*(band.since_ns for band in bands[1:]), result.ran.close_ns]
    for band, until_ns in zip(bands, ends_ns, strict=True):
        columns = groups.setdefault(band.value, {"x": [], "until": [], "text": []})
        columns["x"].append(band.since_ns)
        columns["until"].append(max(until_ns, band.since_ns))
        columns["text"].append(_told(result, band))
    return groups


def _told(result: TrialResult, band: Band) -> str:
    why = f" {escape(band.code)}" if band.code else ""
    score = f", score {band.score // 100}.{band.score % 100:02d}" if band.score else ""
    since = clock(result.ran, band.since_ns)
    return f"{escape(band.subject)}: <b>{escape(band.value)}</b>{why}{score}<br>since {since}"
