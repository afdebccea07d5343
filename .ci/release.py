"""Release: wheel and source distribution, tried as somebody gets them who has no checkout; a summary at the end.

1. The source distribution is packed, and the wheel is built from what it unpacks to.
2. The wheel is installed into an empty environment, with the newest versions of what it needs, as pip chooses them.
3. ``lesionmap check``, ``run all`` and ``verify`` in an empty folder, on the fundus sample, with the example of the source
   distribution.
4. For other versions of Python the dependencies are resolved without being installed, newest and as in ``constraints.txt``.
   What has no wheel there has to be compiled or packed by whoever installs: it is named.

Needs nothing but Python. Each step leaves its log in ``.release/``; the first one that fails ends all.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
WORK = PROJECT / ".release"
DIST = PROJECT / "dist"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
UNTIL = ("build", "install", "check", "run", "verify")


def step(name: str, *command: str | Path, folder: Path = WORK) -> str:
    """Seconds of a step as text; its output is in ``.release/{name}.log``, the end of which is shown where it fails."""
    log, begin = WORK / f"{name}.log", time.monotonic()
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}  # noqa: TID251
    print(f"{name}: {' '.join(str(part) for part in command)}", flush=True)
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(command, cwd=folder, env=own, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
        sys.exit(f"{end}\n\n{name} failed: {log}")
    return f"{time.monotonic() - begin:.0f} s"


def environment(name: str) -> Path:
    """The folder of programs of a fresh environment."""
    step(f"{name}_environment", sys.executable, "-m", "venv", WORK / name)
    return WORK / name / "bin"


def built(programs: Path) -> tuple[Path, Path]:
    """Wheel and source distribution; the source is unpacked into ``.release/source``."""
    step("build", programs / "python", "-m", "build", "--outdir", DIST, PROJECT)
    (wheel,), (source,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(WORK / "unpacked", filter="data")
    next((WORK / "unpacked").iterdir()).rename(WORK / "source")
    return wheel, source


def tried(wheel: Path, *, jobs: int, until: str) -> list[str]:
    """What was done with the installed wheel, a line each."""
    programs, work = environment("installed"), WORK / "work"
    work.mkdir()
    trial = ("--configfile", WORK / "source" / "examples" / "trial_fundus.yaml")
    steps = {
        "install": (programs / "python", "-m", "pip", "install", "--quiet", wheel),
        "check": (programs / "lesionmap", "check", *trial),
        "run": (programs / "lesionmap", "run", f"-j{jobs}", "all", *trial),
        "verify": (programs / "lesionmap", "verify", "results"),
    }
    wanted = UNTIL[1 : UNTIL.index(until) + 1]
    return [f"{name:<8} {step(name, *steps[name], folder=work)}" for name in wanted]


def from_source(lock: Path) -> tuple[int, list[str]]:
    """How many packages a resolution names, and those of them that have no wheel for that Python."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    return len(packages), [each["name"] for each in packages if not each.get("wheels")]


def resolved(programs: Path, version: str, *, pinned: bool) -> str:
    """A line about a version of Python: packages, and those without a wheel."""
    name = f"py{version.replace('.', '')}_{'constraints' if pinned else 'newest'}"
    lock = WORK / f"pylock.{name}.toml"
    limits = ("--constraint", PROJECT / "constraints.txt") if pinned else ()
    wanted = ("--python-version", version, "--format", "pylock.toml", "--output-file", lock, *limits)
    step(name, programs / "uv", "pip", "compile", "--quiet", "--no-config", *wanted, PROJECT / "pyproject.toml")
    count, bare = from_source(lock)
    kind = "constraints.txt" if pinned else "newest"
    return f"Python {version}, {kind}: {count} packages; without a wheel: {', '.join(bare) or 'none'}"


def main() -> None:
    """Build, try and resolve; the summary is printed and kept as ``.release/summary.txt``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--until", choices=UNTIL, default=UNTIL[-1], help="the last step that is taken")
    given = parser.parse_args()
    for folder in (WORK, DIST):
        shutil.rmtree(folder, ignore_errors=True)
    WORK.mkdir()
    programs = environment("build")
    step("tools", programs / "python", "-m", "pip", "install", "--quiet", "build", "uv")
    files = built(programs)
    lines = [
        f"{path.name}  {path.stat().st_size} bytes  sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in files
    ]
    lines += tried(files[0], jobs=given.jobs, until=given.until)
    lines += [resolved(programs, version, pinned=pinned) for version in PYTHONS for pinned in (False, True)]
    if given.until != UNTIL[-1]:
        lines.append(f"Not tried: {', '.join(UNTIL[UNTIL.index(given.until) + 1 :])}")
    text = "\n".join(lines)
    (WORK / "summary.txt").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
