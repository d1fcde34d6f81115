"""An `init` cut off by a disk that is full: one sentence, and the next `init` completes."""

import subprocess
import sys
from pathlib import Path

import pytest

from fuseboard.cli import _with_room
from tests.app.command_line import CommandLine

FULL_AT = (0, 70, 1_000, 12_288, 20_000)
PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from fuseboard.cli import main
sys.exit(main(["init", "--state", sys.argv[2]]))
"""


@pytest.mark.parametrize("bytes_max", FULL_AT)
def test_an_init_on_a_full_disk_is_one_sentence_and_is_begun_anew(
    fuseboard: CommandLine, bytes_max: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bytes_max), str(fuseboard.state)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("fuseboard init: "), done.stderr
    assert "no state in" in fuseboard.refused("status", "--state", fuseboard.state)
    again = fuseboard.on_state("init")
    assert again.code == 0, again
    assert fuseboard.on_state("status", "--json").json()["posture"] == "OPEN"
    assert fuseboard.on_state("verify").code == 0
    left = {at.name for at in Path(fuseboard.state).iterdir()}
    assert not {name for name in left if name.startswith(".") or "new" in name}, left
    assert "init.unfinished" not in left


def test_a_refusal_that_is_the_disks_says_what_to_do() -> None:
    assert "make room" in _with_room("policy.yaml: No space left on device")
    assert "make room" in _with_room("database or disk is full")
    assert _with_room("there is no state") == "there is no state"
