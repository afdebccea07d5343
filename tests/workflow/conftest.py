"""One finished run for all tests of the workflow, whichever process they run in."""

import os

import pytest
from filelock import FileLock

from tests.workflow.project import Project, copy_of_project, copy_with_results

RUNNING = "folder_of_the_one_run"
"""Where the run is made, which no result may name; afterwards it is moved and copied."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A project of this process whose run has ended: a data set of each world, with other fusions."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # noqa: TID251
    with FileLock(shared / "finished.lock"):
        if not (shared / "finished").exists():
            started = copy_of_project(shared / RUNNING)
            done = started.snakemake("-j2", "all")
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
            started.folder.rename(shared / "finished")
    return copy_with_results(Project(shared / "finished"), own / "finished_here")
