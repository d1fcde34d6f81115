"""The page about fuses shows a policy that is one."""

from pathlib import Path

from fuseboard.core.watchlist import TOPICS, watchlist_of
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.vocabulary.catalogue import CATALOGUE, Place

PAGE = Path(__file__).parents[2] / "docs" / "fuses.md"


def test_the_breakers_of_the_page_can_be_adopted() -> None:
    text = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    policy = policy_from_yaml(text, "docs/fuses.md")
    assert len(policy.breakers) == 11
    assert list(watchlist_of(policy).breakers) == [rule.name for rule in policy.breakers]


def test_the_losses_of_the_page_are_keys_that_a_file_may_write() -> None:
    table = PAGE.read_text().split("| --- | --- | --- |\n")[1].split("\n\n")[0]
    written = [row.split("|")[1] for row in table.splitlines()]
    for cell in written:
        words = cell.split("`")[1::2]
        keys, more = [word for word in words if ":" not in word], [w for w in words if ":" in w]
        for key in keys:
            rule = ", ".join([*more, "hard: 5%", *(["days: 30"] if key == "rolling" else [])])
            text = f"safety: {{loss_limits: {{{key}: {{{rule}}}}}}}"
            assert policy_from_yaml(text, "docs/fuses.md").losses, text
    assert any("reference: peak" in cell for cell in written)


def test_every_state_measure_says_what_changes_it() -> None:
    wanted = {measure.name for measure in CATALOGUE if measure.place is Place.STATE}
    assert set(TOPICS) == wanted
