"""docs/dependencies.md lists exactly the dependencies of pyproject.toml, each with a sentence."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "dependencies.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def listed(heading: str) -> list[str]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^- `([^`]+)`: \S.{20,}\.$", section, flags=re.MULTILINE)


def names(requirements: list[str]) -> list[str]:
    found = [re.match(r"[A-Za-z0-9_.-]+", requirement) for requirement in requirements]
    return sorted((match[0] for match in found if match), key=str.lower)


def test_every_dependency_has_its_line_and_every_line_its_dependency() -> None:
    project = PROJECT["project"]
    assert listed("At run time") == names(project["dependencies"])
    optional = [one for extra in project["optional-dependencies"].values() for one in extra]
    assert listed("Optional") == names(optional)
    assert listed("For building and testing") == names(PROJECT["dependency-groups"]["dev"])


def test_every_dependency_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    wanted = names(PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"])
    for name in wanted:
        locked = rf"^{re.escape(name)}==\S+[^\n]*\\\n    --hash=sha256:"
        assert re.search(locked, lock, re.MULTILINE | re.IGNORECASE), name
