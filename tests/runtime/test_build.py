"""A build is told apart by what decides in it, not by its version alone."""

from pathlib import Path

from fuseboard import __version__
from fuseboard.runtime.build import build, named, whole_build


def test_the_running_build_is_the_version_and_a_digest_of_its_sources() -> None:
    version, _, digest = build().partition("+")
    assert version == __version__
    assert len(digest) == 12
    assert int(digest, 16) > 0


def test_the_whole_build_is_another_digest_than_that_of_what_decides() -> None:
    version, _, digest = whole_build().partition("+")
    assert version == __version__
    assert len(digest) == 12
    assert whole_build() != build()


def test_other_sources_another_place_or_another_file_make_another_build(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("A = 1\n")
    other.write_text("A = 1\n")
    names = [named(tmp_path, [one]), named(tmp_path, [other]), named(tmp_path, [one, other])]
    one.write_text("A = 2\n")
    names.append(named(tmp_path, [one]))
    assert len(set(names)) == 4
    assert named(tmp_path, []) == __version__
