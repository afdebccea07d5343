"""Lock of the results folder, held by the main process while jobs run; dry runs and ``--unlock`` take none.

Reasons of jobs are shortened but for ``--verbose``. A full disk that Snakemake comes upon is said in plain words,
and so are an unknown target, and the end of a run with failed jobs or images left out. Values of a user's that hold for no data set are named at
the start of a run and at its end, there with old results, which are in nobody's way. At its end Snakemake's marks are
taken out of the stores.
"""

import sys

from snakemake.logging import logger

from pipeline.config.sources import outdone_sentences
from pipeline.report.old_results import old_sentences
from pipeline.runtime.failed_run import SaidFailure
from pipeline.runtime.full_disk import SaidFull
from pipeline.runtime.reasons import ShortReasons
from pipeline.runtime.run_lock import RunLock
from pipeline.runtime.store_marks import take_out_marks
from pipeline.runtime.torn_notes import mark_torn, unnoted_sentences
from pipeline.runtime.unknown_target import NearestTarget
from pipeline.runtime.unnoted_results import differing, differing_sentences
from pipeline.stores.disk import check_one_disk
from pipeline.stores.verify import verified_results

if not workflow.output_settings.verbose:
    logger.addFilter(ShortReasons())
logger.addFilter(NearestTarget())
logger.addFilter(SaidFull(Path(RUN.results)))  # onerror would miss what Snakemake fails of itself

RUN_LOCK = RunLock(Path(RUN.results))
RUN_LOCK.before_plan()


def finished_results():
    return [path for entry in DATASETS for path in verified_results(Path(RUN.results) / entry)]


def facts_of(entry, image):
    return IMAGES[entry][image].facts() if image in IMAGES[entry] else None


UNNOTED = []
if workflow.is_main_process:
    mark_torn(Path(".snakemake"))
    _found, _notes = finished_results(), Path(".snakemake")
    _others = differing(_notes, _found, results=Path(RUN.results), runs=list(DATASETS.values()), facts=facts_of)
    _same = [path for path in _found if path not in _others]
    UNNOTED = [*differing_sentences(_others), *unnoted_sentences(_notes, _same)]
    sys.stderr.writelines(f"Warning: {line}\n" for line in UNNOTED)


def take_lock():
    try:
        if workflow.is_main_process:
            RUN_LOCK.take()
            check_one_disk(Path(RUN.results), DATASETS)
    except PipelineError as error:
        raise WorkflowError(str(error)) from None


def end_run():
    if workflow.is_main_process:
        take_out_marks(path for path in finished_results() if path.suffix == ".zarr")
    RUN_LOCK.give_back()


def say_what_is_outdone():
    sys.stderr.writelines(f"warning: {line}\n" for line in outdone_sentences(list(DATASETS.values()), LAYERS))


onstart:
    take_lock()
    # Snakemake's own last words come after onerror.
    logger.addFilter(SaidFailure(Path(RUN.results), keep_going=workflow.execution_settings.keep_going))
    say_what_is_outdone()


onsuccess:
    end_run()
    say_what_is_outdone()
    sys.stderr.writelines(f"{line}\n" for line in [*UNNOTED, *old_sentences(Path(RUN.results), DATASETS.values())])


onerror:
    end_run()
    sys.stderr.writelines(f"{line}\n" for line in UNNOTED)
