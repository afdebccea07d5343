"""Lock of the results folder, held by the main process while jobs run; dry runs and ``--unlock`` take none.

At the start of a run values of a user's are named that hold for no data set, and at its end again, with old results, which
are in nobody's way.
"""

import sys

from pipeline.config.sources import outdone_sentences
from pipeline.report.old_results import old_sentences
from pipeline.runtime.run_lock import RunLock
from pipeline.runtime.torn_notes import mark_torn, unnoted_sentences
from pipeline.stores.verify import verified_results

RUN_LOCK = RunLock(Path(RUN.results))

UNNOTED = []
if workflow.is_main_process:
    mark_torn(Path(".snakemake"))
    UNNOTED = unnoted_sentences(
        Path(".snakemake"),
        [path for entry in DATASETS for path in verified_results(Path(RUN.results) / entry)],
    )
    sys.stderr.writelines(f"Warning: {line}\n" for line in UNNOTED)


def take_lock():
    try:
        if workflow.is_main_process:
            RUN_LOCK.take()
    except PipelineError as error:
        raise WorkflowError(str(error)) from None


def say_what_is_outdone():
    sys.stderr.writelines(f"warning: {line}\n" for line in outdone_sentences(list(DATASETS.values()), LAYERS))


onstart:
    take_lock()
    say_what_is_outdone()


onsuccess:
    RUN_LOCK.give_back()
    say_what_is_outdone()
    sys.stderr.writelines(f"{line}\n" for line in [*UNNOTED, *old_sentences(Path(RUN.results), DATASETS.values())])


onerror:
    RUN_LOCK.give_back()
    sys.stderr.writelines(f"{line}\n" for line in UNNOTED)
