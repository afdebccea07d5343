"""index: normalised truth -> candidate tables, and one patch index per sampling."""

STAGE_RESULTS["index"] = lambda dataset: expand(
    "<results>/{dataset}/index/{sampling}.parquet",
    dataset=dataset,
    sampling=sorted(DATASETS[dataset].config.index.samplings),
)


rule index_candidates:
    input:
        "<results>/{dataset}/normalized/{image}.zarr",
    output:
        "<results>/{dataset}/index/candidates/{image}.parquet",
    log:
        "<logs>/{dataset}/index/candidates/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/index/index_candidates/candidates/{image}.tsv"
    resources:
        mem_mb=memory_of("index_candidates"),
    params:
        config=lambda w: {"codes": [each["code"] for each in bare_record(w.dataset)["classes"]]},
        code=code_of("2_index.py", "index_candidates"),
    message:
        "{wildcards.dataset}: lesions of {wildcards.image}"
    script:
        "2_index.py"


rule index_sampling:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        candidates=each_image("<results>/{dataset}/index/candidates/{image}.parquet", annotated),
        normalized=each_image("<results>/{dataset}/normalized/{image}.zarr", annotated),
        hard_negatives=hard_negatives_of,
    output:
        "<results>/{dataset}/index/{sampling}.parquet",
    log:
        "<logs>/{dataset}/index/{sampling}.log",
    benchmark:
        "<benchmarks>/{dataset}/index/index_sampling/{sampling}.tsv"
    threads: 2
    resources:
        mem_mb=memory_of("index_sampling"),
    params:
        config=lambda w: {
            "dataset": w.dataset,
            "record": bare_record(w.dataset),
            "sampling": portable_sampling(w),
            "seed": seed_of(w.dataset),
        },
        code=code_of("2_index.py", "index_sampling"),
    message:
        "{wildcards.dataset}: drawing patches, {wildcards.sampling}"
    script:
        "2_index.py"


rule index:
    input:
        targets("index"),
    localrule: True
