"""index: normalised truth -> candidate tables, and one patch index per sampling."""

STAGE_RESULTS["index"] = each("<results>/{dataset}/index/{sampling}.parquet", sampling=samplings)

HARD, HARD_CONTENTS = named_file(
    "index.samplings.{sampling}.hard_negatives.table", lambda w: depends.hard_negatives_file(run_of(w), w.sampling)
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
        **recorded(lambda w: depends.index_candidates(run_of(w)), script="2_index.py", function="index_candidates"),
    message:
        "{wildcards.dataset}: lesions of {wildcards.image}"
    script:
        "2_index.py"


rule index_sampling:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        candidates=each("<results>/{dataset}/index/candidates/{image}.parquet", image=annotated),
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=annotated),
        hard_negatives=HARD,
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
        **recorded(
            lambda w: depends.index_sampling(run_of(w), w.sampling), script="2_index.py", function="index_sampling"
        ),
        **HARD_CONTENTS,
    message:
        "{wildcards.dataset}: drawing patches, {wildcards.sampling}"
    script:
        "2_index.py"


rule index:
    input:
        targets("index"),
    localrule: True
