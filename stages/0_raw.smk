"""raw: image files -> a fact sheet per image, and the table of images with split, group, centre and fold."""

SPLITS, SPLITS_CONTENTS = named_file("raw.splits_csv", lambda w: run_of(w).config.raw.splits_csv)


rule raw_image:
    output:
        "<results>/{dataset}/raw/{image}.json",
    log:
        "<logs>/{dataset}/raw/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/raw/raw_image/{image}.tsv"
    # A slide is decoded once here, to find damage: as wide as where it is normalised.
    threads: lambda w: run_of(w).config.normalized.workers
    resources:
        mem_mb=memory_of("raw_image"),
    params:
        **recorded(
            lambda w: depends.raw_image(run_of(w), entry_of(w).facts("official_test", "group", "centre")),
            script="0_raw.py",
            function="raw_image",
        ),
        files=files_of,
        contents=lambda w: inputs_of(w).reading(),
        record=lambda w, input: str(inputs_of(w).record),
    message:
        "{wildcards.dataset}: reading {wildcards.image}"
    script:
        "0_raw.py"


checkpoint raw_images:
    input:
        sheets=each("<results>/{dataset}/raw/{image}.json", image=lambda w: IMAGES[w.dataset]),
        splits=SPLITS,
    output:
        "<results>/{dataset}/raw/images.parquet",
    log:
        "<logs>/{dataset}/raw/images.log",
    benchmark:
        "<benchmarks>/{dataset}/raw/raw_images/images.tsv"
    resources:
        mem_mb=memory_of("raw_images"),
    params:
        **recorded(lambda w: depends.raw_images(run_of(w)), script="0_raw.py", function="raw_images"),
        **SPLITS_CONTENTS,
        left_over=left_over_of,
    message:
        "{wildcards.dataset}: table of images"
    script:
        "0_raw.py"


rule complete:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        sheets=each("<results>/{dataset}/raw/{image}.json", image=lambda w: IMAGES[w.dataset]),
        normalized=each(
            "<results>/{dataset}/normalized/{image}.zarr", image=lambda w: [] if w.word == "raw" else annotated(w)
        ),
        indexes=each("<results>/{dataset}/index/{sampling}.parquet", sampling=drawn_samplings),
        measured=each(
            "<results>/{dataset}/report/{model}.{fusion}.images.parquet",
            model=models,
            fusion=lambda w: fusions(w) if w.word == "report" else [],
        ),
        summary=each("<results>/{dataset}/report/{name}.parquet", name=lambda w: ["summary"] * (w.word == "report")),
        results=lambda w: STAGE_RESULTS[w.word](w),
    output:
        touch("<results>/.complete/{dataset}/{word}"),
    log:
        "<logs>/{dataset}/{word}.complete.log",
    params:
        **recorded(lambda w: {}, script="0_raw.py", function="complete", slots=4),
        left_over=left_over_of,
        encoders=lambda w: {} if w.word in WORDS[:3] else run_of(w).config.model.untrained_encoders,
    message:
        "{wildcards.dataset}: {wildcards.word} is done; were images left out?"
    script:
        "0_raw.py"


STAGE_RESULTS["raw"] = lambda wildcards: []


rule raw:
    input:
        targets("raw"),
    localrule: True
