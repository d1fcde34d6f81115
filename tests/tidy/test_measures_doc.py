"""docs/measures.md says what the catalogue says, and the catalogue is in order."""

from docs import make_measures
from fuseboard.vocabulary.catalogue import ALIASES, CATALOGUE, MEASURES, SCALE, Place, Unit


def test_the_page_is_not_stale() -> None:
    written = make_measures.PAGE.read_text()
    assert written == make_measures.page(), "docs/measures.md is stale: run `make docs`"


def test_each_measure_has_one_row_and_a_sentence_in_each_cell() -> None:
    page = make_measures.page()
    for measure in CATALOGUE:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{measure.name}`")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 8
        assert all(cells)


def test_names_are_unique_and_aliases_lead_to_a_measure() -> None:
    assert len(MEASURES) == len(CATALOGUE)
    assert not MEASURES.keys() & ALIASES.keys()
    assert set(ALIASES.values()) <= MEASURES.keys()
    for word in (*MEASURES, *ALIASES):
        assert word.isidentifier()
        assert word == word.lower()


def test_each_unit_has_a_scale_and_a_measure() -> None:
    assert list(SCALE) == list(Unit)
    assert {measure.unit for measure in CATALOGUE} == set(Unit)
    assert {measure.place for measure in CATALOGUE} == set(Place)


def test_a_maximum_age_is_above_zero_and_written_in_whole_periods() -> None:
    ages = [measure.age_ns_max for measure in CATALOGUE if measure.age_ns_max is not None]
    assert ages
    assert all(age > 0 for age in ages)
    assert "| 7 d |" in make_measures.page()
    assert "| 1 min |" in make_measures.page()
