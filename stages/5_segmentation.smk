"""segmentation: probability maps -> thresholds from validation, label maps, masks, polygons, a table of lesions."""

STAGE_RESULTS["segmentation"] = lambda dataset: expand(
    "<results>/{dataset}/segmentation/{model}/{fusion}/lesions.parquet",
    dataset=dataset,
    model=models_of(dataset),
    fusion=fusions_of(dataset),
)


rule segmentation_thresholds:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        probability=held_out_maps,
        normalized=held_out_images,
    output:
        "<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json",
    log:
        "<logs>/{dataset}/segmentation/{model}/{fusion}/thresholds.log",
    benchmark:
        "<benchmarks>/{dataset}/segmentation/segmentation_thresholds/{model}/{fusion}/thresholds.tsv"
    resources:
        mem_mb=memory_of("segmentation_thresholds"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "folds": folds_of(w.dataset, w.model),
            "segmentation": {
                key: stage_config(w.dataset, "segmentation")[key] for key in ("fit_thresholds", "threshold")
            },
        },
        code=code_of("5_segmentation.py", "segmentation_thresholds"),
    message:
        "{wildcards.dataset}: thresholds of {wildcards.model}, {wildcards.fusion}"
    script:
        "5_segmentation.py"


rule segmentation_image:
    input:
        probability="<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr",
        normalized="<results>/{dataset}/normalized/{image}.zarr",
        thresholds="<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json",
    output:
        store=directory("<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr"),
        geojson="<results>/{dataset}/segmentation/{model}/{fusion}/{image}.geojson",
    log:
        "<logs>/{dataset}/segmentation/{model}/{fusion}/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/segmentation/segmentation_image/{model}/{fusion}/{image}.tsv"
    resources:
        mem_mb=memory_of("segmentation_image"),
    params:
        config=lambda w: {
            "record": shown_record(w.dataset),
            "segmentation": cleaning(w.dataset),
        },
        code=code_of("5_segmentation.py", "segmentation_image"),
    message:
        "{wildcards.dataset}: lesions of {wildcards.image} by {wildcards.model}, {wildcards.fusion}"
    script:
        "5_segmentation.py"


rule segmentation_lesions:
    input:
        each_image(
            "<results>/{dataset}/segmentation/{model}/{fusion}/{image}.geojson",
            evaluated,
        ),
    output:
        "<results>/{dataset}/segmentation/{model}/{fusion}/lesions.parquet",
    log:
        "<logs>/{dataset}/segmentation/{model}/{fusion}/lesions.log",
    benchmark:
        "<benchmarks>/{dataset}/segmentation/segmentation_lesions/{model}/{fusion}/lesions.tsv"
    resources:
        mem_mb=memory_of("segmentation_lesions"),
    params:
        config={},
        code=code_of("5_segmentation.py", "segmentation_lesions"),
    message:
        "{wildcards.dataset}: table of lesions by {wildcards.model}, {wildcards.fusion}"
    script:
        "5_segmentation.py"


# Made on request only: it needs the probability maps of the training images, which nothing else asks for.
rule segmentation_hard_negatives:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        probability=each_image("<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr", training),
        normalized=each_image("<results>/{dataset}/normalized/{image}.zarr", training),
        thresholds="<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json",
    output:
        "<results>/{dataset}/segmentation/{model}/{fusion}/hard_negatives.parquet",
    log:
        "<logs>/{dataset}/segmentation/{model}/{fusion}/hard_negatives.log",
    benchmark:
        "<benchmarks>/{dataset}/segmentation/segmentation_hard_negatives/{model}/{fusion}/hard_negatives.tsv"
    resources:
        mem_mb=memory_of("segmentation_hard_negatives"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "segmentation": {
                key: stage_config(w.dataset, "segmentation")[key]
                for key in ("minimum_area", "minimum_areas", "hard_negative_margin")
            },
        },
        code=code_of("5_segmentation.py", "segmentation_hard_negatives"),
    message:
        "{wildcards.dataset}: false positives of {wildcards.model}, {wildcards.fusion}, in training images"
    script:
        "5_segmentation.py"


rule segmentation:
    input:
        targets("segmentation"),
    localrule: True
