"""Jobs that the system ends at random moments of their own work, several times in a row, then once more left alone."""

import signal
from collections.abc import Iterator, Sequence

from benchmarks.reliability.attempts import Attempt, trial_folder
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.lives import Job, Lives, jobs_of, lives
from benchmarks.reliability.scene import Scene
from pipeline.seeds import stream

__all__ = ["job_kill_attempts"]

ROW = 3


def job_kill_attempts(scene: Scene, numbers: Sequence[int], *, seed: int) -> Iterator[Attempt]:
    """One chain of kills for each number, which gives the job in turn, and with the seed the moments."""
    jobs = jobs_of(scene)
    with lives() as server:
        for number in numbers:
            yield _chain(scene, server, jobs[number % len(jobs)], number, seed)


def _chain(scene: Scene, server: Lives, job: Job, number: int, seed: int) -> Attempt:
    random = stream(seed, "kills of jobs", number)
    with trial_folder(scene.after(job.stage), scene.folder / "trial_job") as folder:
        kills = 0
        for _ in range(ROW):
            job.clear(folder)
            moment = random.uniform(0.005, max(server.undisturbed(scene, job), 0.02))
            code, _, _ = server.live(job, folder, cpu_seconds=moment)
            kills += code == -signal.SIGPROF
        job.clear(folder)
        code, _, said = server.live(job, folder)
        problems = [f"exit code {code}: {said[-1500:]}"] if code else []
        results = folder / "results"
        problems += differences(results, scene.after(job.stage) / "results") + left_over(results)
    return Attempt("kill: work of a job", job.rule, number, seed, "kills", kills, "; ".join(problems)[:3000])
