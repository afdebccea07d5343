"""normalized: an image -> OME-Zarr with pyramid, truth and region of interest; H&E by way of its stains and a target."""

STAGE_RESULTS["normalized"] = lambda dataset: expand(
    "<results>/{dataset}/normalized/{image}.zarr",
    dataset=dataset,
    image=usable(dataset),
)


rule normalized_stain:
    input:
        unpack(raw_files),
        sheet="<results>/{dataset}/raw/{image}.json",
    output:
        "<results>/{dataset}/normalized/{image}.stain.json",
    log:
        "<logs>/{dataset}/normalized/{image}.stain.log",
    benchmark:
        "<benchmarks>/{dataset}/normalized/normalized_stain/{image}.stain.tsv"
    threads: lambda w: DATASETS[w.dataset].config.normalized.workers
    resources:
        mem_mb=memory_of("normalized_stain"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "entry": raw_facts(w),
            "normalized": estimation(w.dataset),
        },
        code=code_of("1_normalized.py", "normalized_stain"),
    message:
        "{wildcards.dataset}: estimating the stains of {wildcards.image}"
    script:
        "1_normalized.py"


rule normalized_target:
    input:
        file=lambda w: target_file(w.dataset),
        estimates=lambda w: median_of(w.dataset),
    output:
        "<results>/{dataset}/normalized/target.json",
    log:
        "<logs>/{dataset}/normalized/target.log",
    benchmark:
        "<benchmarks>/{dataset}/normalized/normalized_target/target.tsv"
    resources:
        mem_mb=memory_of("normalized_target"),
    params:
        config=lambda w: target_settings(w.dataset),
        code=code_of("1_normalized.py", "normalized_target"),
    message:
        "{wildcards.dataset}: target of stain normalisation"
    script:
        "1_normalized.py"


rule normalized_image:
    input:
        unpack(raw_files),
        sheet="<results>/{dataset}/raw/{image}.json",
        stain=lambda w: [stain_file(w.dataset, w.image)] if is_stained(w.dataset) else [],
        target=lambda w: target_of(w.dataset),
    output:
        directory("<results>/{dataset}/normalized/{image}.zarr"),
    log:
        "<logs>/{dataset}/normalized/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/normalized/normalized_image/{image}.tsv"
    threads: lambda w: DATASETS[w.dataset].config.normalized.workers
    resources:
        mem_mb=memory_of("normalized_image"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "entry": raw_facts(w),
            "normalized": normalisation(w.dataset),
        },
        # One function for each chain, so that code of the other one reruns nothing here.
        code=lambda w: code_of(
            "1_normalized.py",
            f"{DATASETS[w.dataset].config.normalized.chain}_image",
        ),
    message:
        "{wildcards.dataset}: normalising {wildcards.image}"
    script:
        "1_normalized.py"


rule normalized:
    input:
        targets("normalized"),
    localrule: True
