"""Lock of the results folder, held by the main process while jobs run; dry runs and ``--unlock`` take none."""

from pipeline.runtime.run_lock import RunLock
from pipeline.runtime.torn_notes import mark_torn

RUN_LOCK = RunLock(Path(RUN.results))

if workflow.is_main_process:
    mark_torn(Path(".snakemake"))


def take_lock():
    try:
        if workflow.is_main_process:
            RUN_LOCK.take()
    except PipelineError as error:
        raise WorkflowError(str(error)) from None


onstart:
    take_lock()


onsuccess:
    RUN_LOCK.give_back()


onerror:
    RUN_LOCK.give_back()
