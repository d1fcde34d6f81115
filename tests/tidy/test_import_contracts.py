"""The import contracts of pyproject.toml are seen to fire on a copy with bad imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BAD_IMPORTS = {
    "a lower room imports a higher one": ("vocabulary/money.py", "fuseboard.policy.policy"),
    "a door imports the rules": ("wire/http_client.py", "fuseboard.policy.policy"),
    "somebody imports the composition root": ("policy/loader.py", "fuseboard.cli"),
    "the core imports a clock": ("core/kernel.py", "time"),
    "the policy imports a file": ("policy/loader.py", "pathlib"),
    "the guardian imports the rules": ("guardian/acting.py", "fuseboard.core.closes"),
    "the way out imports the rules": ("rescue/closing.py", "fuseboard.policy.policy"),
}


def linted(place: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(
        command, cwd=place, capture_output=True, check=False, text=True, timeout=60
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "fuseboard", tmp_path / "fuseboard", ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("cli.py", "app.py"):
        (tmp_path / "fuseboard" / name).touch()
    return tmp_path


def test_the_tree_as_it_is_keeps_every_contract(copy: Path) -> None:
    done = linted(copy)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def imports_too(copy: Path, file: str, module: str) -> None:
    with (copy / "fuseboard" / file).open("a") as source:
        source.write(f"\nimport {module}\n")


def test_each_bad_import_breaks_a_contract_and_is_named(copy: Path) -> None:
    for file, module in BAD_IMPORTS.values():
        imports_too(copy, file, module)
    done = linted(copy)
    assert done.returncode != 0, done.stdout
    for what, (file, module) in BAD_IMPORTS.items():
        importer = file.removesuffix(".py").replace("/", ".")
        assert f"fuseboard.{importer} -> {module} (" in done.stdout, what


def test_a_room_without_a_place_breaks_a_contract(copy: Path) -> None:
    imports_too(copy, "cupboard.py", "fuseboard.vocabulary.money")
    done = linted(copy)
    assert done.returncode != 0, done.stdout
    assert "fuseboard.cupboard" in done.stdout
