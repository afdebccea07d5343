"""probability: a normalised image and a model -> fused probability maps, one store per fusion."""

STAGE_RESULTS["probability"] = lambda dataset: expand(
    "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr",
    dataset=dataset,
    model=models_of(dataset),
    fusion=fusions_of(dataset),
    image=evaluated(dataset),
)


# All overlapping fusions come from one pass over the windows, so one job writes them all.
FUSIONS = sorted({fusion for dataset in DATASETS for fusion in fusions_of(dataset)})


rule probability_image:
    input:
        normalized="<results>/{dataset}/normalized/{image}.zarr",
        model="<results>/{dataset}/model/{model}",
    output:
        **{
            fusion: directory(f"<results>/{{dataset}}/probability/{{model}}/{fusion}/{{image}}.zarr")
            for fusion in FUSIONS
        },
    log:
        "<logs>/{dataset}/probability/{model}/{image}.log",
    threads: lambda w: DATASETS[w.dataset].config.probability.threads
    resources:
        network=1,
        # Not parameters: who computes a map, and on how many threads, changes nothing in it.
        workers=lambda w: DATASETS[w.dataset].config.probability.workers,
        scheduler=lambda w: DATASETS[w.dataset].config.probability.dask.scheduler,
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "probability": inference(w.dataset) | {"fusions": FUSIONS},
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
