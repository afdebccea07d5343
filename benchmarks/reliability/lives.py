"""Lives of jobs: the scripts that Snakemake made for a run, each run in a child of a process that has imported everything.

What a job imports takes seconds and its work often less, so a kill costs a tenth of what it costs with Snakemake around it.
Run as a process of its own, it reads a request a line and answers with the status of the child and its processor time.
"""

import importlib
import json
import os
import pkgutil
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline
from benchmarks.reliability.attempts import trial_folder
from benchmarks.reliability.scene import PROJECT, Scene
from pipeline.words import WORDS

__all__ = ["Job", "Lives", "jobs_of", "lives"]

PREAMBLE = re.compile(r"#+ snakemake preamble start.*?#+ snakemake preamble end #+\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the finished run."""

    stage: str
    script: Path
    rule: str
    outputs: tuple[str, ...]
    """Relative to the working folder."""

    def clear(self, folder: Path) -> None:
        """Take its outputs away and make their folders, as Snakemake does before a job."""
        for output in self.outputs:
            path = folder / output
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)


def jobs_of(scene: Scene) -> list[Job]:
    """Jobs of the run by stage and path of their outputs, but for those that write no result."""
    found = []
    for stage in WORDS:
        for script in (scene.folder / "scripts" / stage).glob("*.py"):
            made = _described(script)
            if made.rule != "complete":
                found.append(Job(stage, script, made.rule, tuple(map(str, made.output))))
    return sorted(found, key=lambda job: (WORDS.index(job.stage), job.outputs))


def _described(script: Path) -> Any:  # noqa: ANN401
    """What Snakemake tells the script of its job."""
    match = PREAMBLE.match(script.read_text())
    assert match is not None  # Snakemake wrote it
    names, path = {"__file__": str(script)}, list(sys.path)
    exec(match[0], names)
    sys.path[:] = path
    return names["snakemake"]


@dataclass(frozen=True, slots=True)
class Lives:
    """The process that gives jobs their lives."""

    process: subprocess.Popen[str]

    def live(self, job: Job, folder: Path, *, cpu_seconds: float = 0.0) -> tuple[int, float, str]:
        """One life of a job, ended by the system after some processor time, where that is not 0.

        Returns
        -------
        tuple
            Exit code, or minus the number of the signal; processor time; what was printed.
        """
        log = folder.with_name(f"{folder.name}.life")
        request = {"folder": str(folder), "script": str(job.script), "cpu": cpu_seconds, "log": str(log)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        code, seconds = json.loads(self.process.stdout.readline())
        return code, seconds, log.read_text(errors="replace")

    def undisturbed(self, scene: Scene, job: Job) -> float:
        """Processor time of a job that is left alone; measured once."""
        note = scene.folder / "scripts" / f"{job.script.name}.seconds"
        if not note.is_file():
            with trial_folder(scene.after(job.stage), scene.folder / "trial_alone") as folder:
                job.clear(folder)
                code, seconds, said = self.live(job, folder)
                assert code == 0, said
                note.write_text(f"{seconds:.3f}")
        return float(note.read_text())


@contextmanager
def lives() -> Iterator[Lives]:
    """A process that has imported everything."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MPLBACKEND": "Agg"}  # noqa: TID251
    command = [sys.executable, "-m", "benchmarks.reliability.lives"]
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Lives(process)
        assert process.stdin is not None
        process.stdin.close()


def _import_everything() -> None:
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _child(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    if request["cpu"]:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the system ends the process, as it does for SIGKILL
        signal.setitimer(signal.ITIMER_PROF, request["cpu"])
    runpy.run_path(
        request["script"], run_name="__main__"
    )  # a stage may be guarded by it, as for workers that start anew


def _serve() -> None:
    _import_everything()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            code = 1
            try:
                _child(json.loads(line))
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            except BaseException:  # noqa: BLE001 a child must not go on as its parent
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status, used = os.wait4(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]), flush=True)


if __name__ == "__main__":
    _serve()
