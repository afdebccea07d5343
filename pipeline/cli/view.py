"""Command ``view``: results in a browser, directly from the stores."""

import argparse
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.check import planned
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.raw.datasets.listing import images_of_run

if TYPE_CHECKING:
    from pipeline.config.run import DatasetRun
    from pipeline.view.catalogue import Dataset

__all__ = ["add_view", "with_originals"]

EXAMPLES = """examples:
  lesionmap view results/idrid --configfile mine.yaml
  ssh -L 8000:127.0.0.1:8000 server lesionmap view results/idrid --port 8000     then open the printed address here"""


def with_originals(dataset: "Dataset", run: "DatasetRun | None") -> "Dataset":
    """Data set with the originals named in its table of images and found by a configuration."""
    from pipeline.view.originals import Originals, is_named

    if run is None:
        return dataset
    entries, rows = {entry.image_id: entry for entry in images_of_run(run)}, dataset.rows()
    named = {image: entries[image] for image, row in rows.items() if image in entries and is_named(entries[image], row)}
    return replace(dataset, originals=Originals(named, run.record, run.config.normalized), known=run.record)


def _configured(datasets: "tuple[Dataset, ...]", arguments: argparse.Namespace) -> "tuple[Dataset, ...]":
    """Data sets with their originals, if the configuration names them; otherwise unchanged, with a message."""
    found = []
    for each in datasets:
        try:
            _, runs = planned(arguments, datasets=[each.name])
            found.append(with_originals(each, next(iter(runs), None)))
        except PipelineError as problem:
            if arguments.configfile or arguments.config:
                raise
            found.append(each)
            reason = str(problem).splitlines()[0]
            print(f"{each.name}: without originals. {reason} Give --configfile.", file=sys.stderr)
    return tuple(found)


def _view(arguments: argparse.Namespace) -> int:
    from pipeline.view.catalogue import open_datasets
    from pipeline.view.server import Viewing, serving

    datasets = _configured(open_datasets(arguments.results), arguments)
    try:
        with serving(Viewing.of(datasets), port=arguments.port) as address:
            print(
                f"{address}\nOn this machine only; who knows the address sees the results. Ctrl-C ends it.", flush=True
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (OSError, OverflowError) as problem:
        raise ConfigurationError(
            "The port cannot be used.",
            where="--port",
            found=f"{arguments.port}: {getattr(problem, 'strerror', None) or problem}",
            expected="a free port, 0 to 65535",
            remedy="Leave --port out: a free one is taken.",
        ) from problem
    return 0


def add_view(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    view = commands.add_parser(
        "view",
        help="results in a browser at any size, models side by side",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    view.add_argument(
        "results",
        nargs="?",
        type=Path,
        default=Path("results"),
        help="folder, or that of one data set; results by default",
    )
    view.add_argument("--port", type=int, default=0, metavar="N", help="port of 127.0.0.1 (default: a free one)")
    view.add_argument(
        "--configfile", nargs="+", default=[], metavar="FILE", help="as for the run; says where the originals lie"
    )
    view.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="as for the run")
    view.set_defaults(run=_view)
