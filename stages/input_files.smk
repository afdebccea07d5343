"""Files of users, which are no inputs of rules: a rule records what they hold.

Snakemake would go by their paths, and by their date only where it is newer. What asks for the inputs is for the script,
and not recorded.
"""

from pipeline.raw.datasets.changed_files import ImageInputs, NamedFile, model_of, refresh_images
from pipeline.raw.datasets.left_over import left_over

if workflow.is_main_process:
    for _entry, _images in IMAGES.items():
        refresh_images(_images.values(), results=Path(RUN.results), dataset=_entry)

files_of = lambda w, input: entry_of(w).file_lists()
# It changes nothing in images that are not refused, and stage raw has refused the others.
largest_decode_of = lambda w, input: run_of(w).config.raw.largest_decode
inputs_of = lambda w: ImageInputs(entry_of(w), results=Path(RUN.results), dataset=w.dataset)

# It takes the inputs as argument, so that it is not recorded: it changes no result.
left_over_of = lambda w, input: left_over(
    run_of(w).record,
    entries=list(IMAGES[w.dataset].values()),
    root=run_of(w).root,
    splits=run_of(w).config.raw.splits_csv,
    corrections=run_of(w).corrections,
)


def named_file(key, path_of):
    """A file that the configuration names: an input where it is a result of this run, else it counts by what it holds."""

    def named(wildcards):
        place = {"key": key.format(**dict(wildcards.items())), "dataset": wildcards.dataset}
        return NamedFile(path_of(wildcards), results=Path(RUN.results), **place)

    def made(wildcards):
        if not (found := named(wildcards).result):
            return []
        entry, model = model_of(found, results=Path(RUN.results)) or ("", "")
        # A rule makes the folder of a model, and Snakemake does not know that the file is in it.
        is_made = entry in DATASETS and model in DATASETS[entry].config.model.predictors
        return f"<results>/{entry}/model/{model}" if is_made else found

    parameters = {"file": lambda w, input: path_of(w), "file_contents": lambda w: named(w).content()}
    return made, parameters
