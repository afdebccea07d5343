"""model: a patch index -> trained weights, their card and their history; models -> ensembles."""

STAGE_RESULTS["model"] = lambda dataset: expand(
    "<results>/{dataset}/model/{model}", dataset=dataset, model=models_of(dataset)
)


rule model_fit:
    input:
        index=lambda w: f"<results>/{w.dataset}/index/{model_settings(w).sampling}.parquet",
        encoder=encoder_file,
        target=lambda w: target_of(w.dataset),
        normalized=each_image(
            "<results>/{dataset}/normalized/{image}.zarr",
            lambda dataset: images_of(dataset, "train", "validation"),
        ),
    output:
        directory("<results>/{dataset}/model/{model}"),
    log:
        "<logs>/{dataset}/model/{model}.log",
    benchmark:
        "<benchmarks>/{dataset}/model/model_fit/{model}.tsv"
    wildcard_constraints:
        model=any_of(TRAINED),
    threads: lambda w: model_settings(w).threads + model_settings(w).readers
    resources:
        mem_mb=memory_of("model_fit"),
        network=1,
        # Not a parameter: how many processes read the patches changes nothing in the weights.
        readers=lambda w: model_settings(w).readers,
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "model": portable_settings(w),
            "patch": sampling_of(w).patch,
            "seed": seed_of(w.dataset),
        },
        code=code_of("3_model.py", "model_fit"),
    message:
        "{wildcards.dataset}: training {wildcards.model}"
    script:
        "3_model.py"


rule model_ensemble:
    input:
        members_of,
    output:
        directory("<results>/{dataset}/model/{model}"),
    log:
        "<logs>/{dataset}/model/{model}.log",
    benchmark:
        "<benchmarks>/{dataset}/model/model_ensemble/{model}.tsv"
    wildcard_constraints:
        model=any_of(ENSEMBLES),
    resources:
        mem_mb=memory_of("model_ensemble"),
    params:
        config=lambda w: {"record": bare_record(w.dataset)},
        code=code_of("3_model.py", "model_ensemble"),
    message:
        "{wildcards.dataset}: ensemble {wildcards.model}"
    script:
        "3_model.py"


rule model:
    input:
        targets("model"),
    localrule: True
