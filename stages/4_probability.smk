"""probability: a normalised image and a model -> fused probability maps, one store per fusion."""

STAGE_RESULTS["probability"] = each(
    "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr", model=models, fusion=fusions, image=evaluated
)


# All overlapping fusions come from one pass over the windows, so one job writes them all. Data sets with other fusions
# have a separate rule, so the request of one changes neither maps nor reruns of another.
for names in sorted({tuple(sorted(run.config.probability.fusions)) for run in DATASETS.values()}):

    rule:
        name:
            "_".join(["probability_image", *names])
        input:
            normalized="<results>/{dataset}/normalized/{image}.zarr",
            model="<results>/{dataset}/model/{model}",
        output:
            **{
                fusion: directory(f"<results>/{{dataset}}/probability/{{model}}/{fusion}/{{image}}.zarr")
                for fusion in names
            },
        log:
            "<logs>/{dataset}/probability/{model}/{image}.log",
        benchmark:
            "<benchmarks>/{dataset}/probability/probability_image/{model}/{image}.tsv"
        wildcard_constraints:
            dataset=any_of(
                key for key, run in DATASETS.items() if sorted(run.config.probability.fusions) == list(names)
            ),
        threads: lambda w: run_of(w).config.probability.threads
        resources:
            mem_mb=memory_of("probability_image"),
            network=1,
            # Not parameters: who computes a map, and on how many threads, changes nothing in it.
            workers=lambda w: run_of(w).config.probability.workers,
            scheduler=lambda w: run_of(w).config.probability.dask.scheduler,
        params:
            **recorded(
                lambda w: depends.probability_image(run_of(w), w.model),
                script="4_probability.py",
                function="probability_image",
            ),
            shown=lambda w, input: run_of(w).record.shown,  # names and colours change no value
        message:
            "{wildcards.dataset}: probability maps of {wildcards.image} by {wildcards.model}"
        script:
            "4_probability.py"


rule probability:
    input:
        targets("probability"),
    localrule: True
