"""raw: image files -> a fact sheet per image, and the table of images with split, group, centre and fold."""


rule raw_image:
    input:
        unpack(raw_files),
    output:
        "<results>/{dataset}/raw/{image}.json",
    log:
        "<logs>/{dataset}/raw/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/raw/raw_image/{image}.tsv"
    # A slide is decoded once here, to find damage: as wide as where it is normalised.
    threads: lambda w: DATASETS[w.dataset].config.normalized.workers
    resources:
        mem_mb=memory_of("raw_image"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "entry": raw_facts(w, "official_test", "group", "centre"),
        },
        code=code_of("0_raw.py", "raw_image"),
    message:
        "{wildcards.dataset}: reading {wildcards.image}"
    script:
        "0_raw.py"


checkpoint raw_images:
    input:
        sheets=lambda w: expand(
            "<results>/{dataset}/raw/{image}.json",
            dataset=w.dataset,
            image=IMAGES[w.dataset],
        ),
        splits=lambda w: DATASETS[w.dataset].config.raw.splits_csv or [],
    output:
        "<results>/{dataset}/raw/images.parquet",
    log:
        "<logs>/{dataset}/raw/images.log",
    benchmark:
        "<benchmarks>/{dataset}/raw/raw_images/images.tsv"
    resources:
        mem_mb=memory_of("raw_images"),
    params:
        config=lambda w: {
            "dataset": DATASETS[w.dataset].name,
            "record": bare_record(w.dataset),
            "raw": stage_config(w.dataset, "raw"),
            "seed": seed_of(w.dataset),
        },
        code=code_of("0_raw.py", "raw_images"),
    message:
        "{wildcards.dataset}: table of images"
    script:
        "0_raw.py"


rule complete:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        results=lambda w: STAGE_RESULTS[w.word](w.dataset),
    output:
        touch("<results>/.complete/{dataset}/{word}"),
    log:
        "<logs>/{dataset}/{word}.complete.log",
    params:
        config={},
        code=code_of("0_raw.py", "complete"),
    message:
        "{wildcards.dataset}: {wildcards.word} is done; were images left out?"
    script:
        "0_raw.py"


STAGE_RESULTS["raw"] = lambda dataset: []


rule raw:
    input:
        targets("raw"),
    localrule: True
