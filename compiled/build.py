"""Build the package with its step compiled: a directory to import from, and a platform wheel.

    python -m compiled.build           (build/compiled/, and the wheel in build/)
    python -m compiled.build --tree    (the directory alone)
    python -m compiled.build --check   (only whether it can be built here)

`build/compiled` holds the package as it is in `src`, one extension module beside the kernel, and a
line at the end of the kernel that loads it. `src` is never written to. It needs a C compiler and
CPython 3.11, whose classes, dictionaries and numbers the headers here look into.
"""

import base64
import hashlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Final

from compiled.step import MODULE, source

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build"
TREE: Final = BUILD / "compiled"
WORK: Final = BUILD / "compiled-work"
LOADED: Final = f"""
# The compiled step takes the place of the one above. It is made from {{digest}}.
import {MODULE}
"""
FLAGS: Final = (
    "-O3",
    "-fwrapv",
    "-fPIC",
    "-fno-plt",
    "-fno-semantic-interposition",
    "-DNDEBUG",
    "-DCYTHON_CLINE_IN_TRACEBACK=0",
    "-w",  # generated code
)


def check() -> None:
    """Exit with a reason where the compiled step cannot be built."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 11):
        raise SystemExit("the compiled step is for CPython 3.11; the plain package runs on any")
    compiler, *_ = shlex.split(sysconfig.get_config_var("CC"))
    if shutil.which(compiler) is None:
        raise SystemExit(f"the compiled step needs a C compiler: there is no {compiler}")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise SystemExit("the compiled step needs Python's headers: install python3.11-dev")


def build_tree() -> None:
    """Write `build/compiled`: the package, and its compiled step."""
    check()
    for place in (TREE, WORK):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "fuseboard", TREE / "fuseboard", ignore=ignored)
    _, _, name = MODULE.rpartition(".")
    written, made = WORK / f"{name}.pyx", WORK / f"{name}.c"
    written.write_text(source(), encoding="utf-8")
    _run(sys.executable, "-m", "cython", "--module-name", MODULE, str(written), "-o", str(made))
    core = TREE.joinpath(*MODULE.split(".")[:-1])
    target = core / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    headers = (f"-I{sysconfig.get_path('include')}", f"-I{ROOT / 'compiled'}")
    _run(*compiler, *FLAGS, *headers, "-shared", str(made), "-o", str(target))
    version = subprocess.run([*compiler, "--version"], check=True, capture_output=True).stdout
    included = [path.read_bytes() for path in sorted((ROOT / "compiled").glob("*.h"))]
    made_from = b"".join((made.read_bytes(), *included, version, " ".join(FLAGS).encode()))
    # In the kernel's text, so that `runtime.build` names builds apart by what they are made from.
    loaded = LOADED.format(digest=hashlib.sha256(made_from).hexdigest())
    kernel = core / "kernel.py"
    kernel.write_text(kernel.read_text(encoding="utf-8") + loaded, encoding="utf-8")


def build_wheel() -> Path:
    """Write the wheel of `build/compiled`, with the metadata of the plain one."""
    plain = WORK / "plain"
    builder = str(Path(sys.executable).with_name("uv"))
    _run(builder, "build", "--quiet", "--wheel", "--out-dir", str(plain), str(ROOT))
    (wheel,) = plain.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" in name}
    (tags_of,) = (name for name in kept if name.endswith("/WHEEL"))
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tag = f"cp311-cp311-{platform}"
    kept[tags_of] = (
        kept[tags_of]
        .replace(b"Root-Is-Purelib: true", b"Root-Is-Purelib: false")
        .replace(b"Tag: py3-none-any", f"Tag: {tag}".encode())
    )
    files = {
        str(path.relative_to(TREE)): path.read_bytes()
        for path in sorted(TREE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    record = tags_of.replace("/WHEEL", "/RECORD")
    del kept[record]
    target = BUILD / wheel.name.replace("py3-none-any", tag)
    lines = [f"{name},{_digest(data)},{len(data)}" for name, data in (files | kept).items()]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (files | kept).items():
            archive.writestr(name, data)
        archive.writestr(record, "\n".join([*lines, f"{record},,"]) + "\n")
    return target


def _digest(data: bytes) -> str:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={hashed}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    """As the head of this file says."""
    if "--check" in sys.argv[1:]:
        check()
        return
    build_tree()
    print(f"the package with a compiled step: {TREE.relative_to(ROOT)}")
    if "--tree" not in sys.argv[1:]:
        print(f"wheel: {build_wheel().relative_to(ROOT)}")


if __name__ == "__main__":
    main()
