"""The same inputs give the same effects and the same digest in any process (law 9)."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import hashlib
from fuseboard.vocabulary.records import encoded_record
from tests.core.world import run

hashed = hashlib.sha256()
for seed in range(3):
    world = run(seed, 300)
    for record in world.log:
        hashed.update(encoded_record(record))
    hashed.update(world.kernel.digest().encode())
print(hashed.hexdigest(), hash("a string"))
"""


def _run(hash_seed: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    digest, string_hash = done.stdout.split()
    return digest, string_hash


def test_two_processes_with_different_hash_seeds_agree_byte_for_byte() -> None:
    (one, hash_one), (two, hash_two) = _run("1"), _run("2")
    assert hash_one != hash_two, "the hash seeds had no effect: the test proves nothing"
    assert one == two
