"""model: a patch index -> trained weights, their card and their history; models -> ensembles."""

STAGE_RESULTS["model"] = each("<results>/{dataset}/model/{model}", model=models)

ENCODER, ENCODER_CONTENTS = named_file(
    "model.models.{model}.encoder_weights", lambda w: depends.weights_file(run_of(w), w.model)
)


rule model_fit:
    input:
        index=lambda w: f"<results>/{w.dataset}/index/{model_settings(w).sampling}.parquet",
        encoder=ENCODER,
        target=each("<results>/{dataset}/normalized/{name}.json", name=lambda w: stained(w, ["target"])),
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=learned),
    output:
        directory("<results>/{dataset}/model/{model}"),
    log:
        "<logs>/{dataset}/model/{model}.log",
    benchmark:
        "<benchmarks>/{dataset}/model/model_fit/{model}.tsv"
    wildcard_constraints:
        model=any_of(TRAINED),
    threads: lambda w: model_settings(w).devices * (model_settings(w).threads + model_settings(w).readers)
    resources:
        mem_mb=memory_of("model_fit"),
        network=1,
        # Not a parameter: how many processes read the patches, or who keeps a history, changes no weight.
        readers=lambda w: model_settings(w).readers,
        reader_start=lambda w: model_settings(w).reader_start,
        mlflow=lambda w: run_of(w).config.model.mlflow or "",
    params:
        **recorded(lambda w: depends.model_fit(run_of(w), w.model), script="3_model.py", function="model_fit", slots=80),
        **ENCODER_CONTENTS,
    message:
        "{wildcards.dataset}: training {wildcards.model}"
    script:
        "3_model.py"


rule model_ensemble:
    input:
        each("<results>/{dataset}/model/{member}", member=lambda w: run_of(w).config.model.members(w.model)),
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
        **recorded(lambda w: depends.model_ensemble(run_of(w), w.model), script="3_model.py", function="model_ensemble"),
    message:
        "{wildcards.dataset}: ensemble {wildcards.model}"
    script:
        "3_model.py"


rule model_hardest:
    input:
        model="<results>/{dataset}/model/{model}",
        index=lambda w: f"<results>/{w.dataset}/index/{model_settings(w).sampling}.parquet",
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=learned),
    output:
        # A copy of it lies in the folder of the model, which is the output of another rule.
        "<results>/{dataset}/model/.hardest/{model}.parquet",
    log:
        "<logs>/{dataset}/model/{model}.hardest.log",
    benchmark:
        "<benchmarks>/{dataset}/model/model_hardest/{model}.tsv"
    wildcard_constraints:
        model=any_of(TRAINED),
    threads: lambda w: model_settings(w).threads
    resources:
        mem_mb=memory_of("model_hardest"),
        network=1,
    params:
        **recorded(lambda w: depends.model_hardest(run_of(w)), script="3_model.py", function="model_hardest"),
    message:
        "{wildcards.dataset}: hardest patches of {wildcards.model}"
    script:
        "3_model.py"


rule model_hardest_of_members:
    input:
        members=each(
            "<results>/{dataset}/model/.hardest/{member}.parquet",
            member=lambda w: run_of(w).config.model.members(w.model),
        ),
        model="<results>/{dataset}/model/{model}",
    output:
        "<results>/{dataset}/model/.hardest/{model}.parquet",
    log:
        "<logs>/{dataset}/model/{model}.hardest.log",
    benchmark:
        "<benchmarks>/{dataset}/model/model_hardest_of_members/{model}.tsv"
    wildcard_constraints:
        model=any_of(ENSEMBLES),
    resources:
        mem_mb=memory_of("model_hardest_of_members"),
    params:
        **recorded(lambda w: depends.model_hardest(run_of(w)), script="3_model.py", function="model_hardest_of_members"),
    message:
        "{wildcards.dataset}: hardest patches of {wildcards.model}"
    script:
        "3_model.py"


rule model:
    input:
        targets("model"),
    localrule: True
