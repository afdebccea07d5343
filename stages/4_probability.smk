"""probability: a normalised image and a model -> fused probability maps, one store per fusion."""

STAGE_RESULTS["probability"] = lambda dataset: expand(
    "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr",
    dataset=dataset,
    model=models_of(dataset),
    fusion=fusions_of(dataset),
    image=evaluated(dataset),
)


# All overlapping fusions come from one pass over the windows, so one job writes them all. Data sets that ask for other
# fusions have a rule of their own: what one asks for changes neither maps nor reruns of another.
for fusions in sorted({tuple(sorted(fusions_of(dataset))) for dataset in DATASETS}):

    rule:
        name:
            "_".join(["probability_image", *fusions])
        input:
            normalized="<results>/{dataset}/normalized/{image}.zarr",
            model="<results>/{dataset}/model/{model}",
        output:
            **{
                fusion: directory(f"<results>/{{dataset}}/probability/{{model}}/{fusion}/{{image}}.zarr")
                for fusion in fusions
            },
        log:
            "<logs>/{dataset}/probability/{model}/{image}.log",
        benchmark:
            "<benchmarks>/{dataset}/probability/probability_image/{model}/{image}.tsv"
        wildcard_constraints:
            dataset=any_of(each for each in DATASETS if sorted(fusions_of(each)) == list(fusions)),
        threads: lambda w: DATASETS[w.dataset].config.probability.threads
        resources:
            mem_mb=memory_of("probability_image"),
            network=1,
            # Not parameters: who computes a map, and on how many threads, changes nothing in it.
            workers=lambda w: DATASETS[w.dataset].config.probability.workers,
            scheduler=lambda w: DATASETS[w.dataset].config.probability.dask.scheduler,
        params:
            config=lambda w: {
                "record": bare_record(w.dataset),
                "probability": inference(w.dataset),
                "window": DATASETS[w.dataset].config.window(w.model),
            },
            code=code_of("4_probability.py", "probability_image"),
        message:
            "{wildcards.dataset}: probability maps of {wildcards.image} by {wildcards.model}"
        script:
            "4_probability.py"


rule probability:
    input:
        targets("probability"),
    localrule: True
