"""normalized: an image -> OME-Zarr with pyramid, truth and region of interest."""

STAGE_RESULTS["normalized"] = lambda dataset: expand(
    "<results>/{dataset}/normalized/{image}.zarr",
    dataset=dataset,
    image=usable(dataset),
)


rule normalized_image:
    input:
        unpack(raw_files),
        sheet="<results>/{dataset}/raw/{image}.json",
    output:
        directory("<results>/{dataset}/normalized/{image}.zarr"),
    log:
        "<logs>/{dataset}/normalized/{image}.log",
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "entry": raw_facts(w),
            "normalized": stage_config(w.dataset, "normalized"),
        },
        code=code_of("1_normalized.py", "normalized_image"),
    message:
        "{wildcards.dataset}: normalising {wildcards.image}"
    script:
        "1_normalized.py"


rule normalized:
    input:
        targets("normalized"),
    localrule: True
