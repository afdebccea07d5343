"""One finished run for all tests of the workflow, whichever process they run in."""

from pathlib import Path

import pytest
from filelock import FileLock

from tests.workflow.project import SAID, Project, copy_of_project, copy_with_results

RUNNING = "folder_of_the_one_run"
"""Where the run is made, which no result may name; afterwards it is moved and copied."""


@pytest.fixture(scope="session")
def finished(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of this process whose run has ended: a data set of each world, with other fusions."""
    done = shared_folder / "finished"
    with FileLock(done.with_suffix(".lock")):
        if not done.exists():
            started = copy_of_project(shared_folder / RUNNING)
            ended = started.snakemake("-j2", "all")
            assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-6000:]
            started.folder.joinpath(SAID).write_text(ended.stdout + ended.stderr)
            started.folder.rename(done)
    return copy_with_results(Project(done), tmp_path_factory.getbasetemp() / "finished_here")
