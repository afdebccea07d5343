"""segmentation: probability maps -> thresholds from validation, label maps, masks, polygons, a table of lesions."""

STAGE_RESULTS["segmentation"] = each(
    "<results>/{dataset}/segmentation/{model}/{fusion}/lesions.parquet", model=models, fusion=fusions
)


# Training images, if the areas of their truth regions are needed.
area_images = lambda w: (
    learned_images(images_table(w), folds=run_of(w).config.model.folds_of(w.model))
    if run_of(w).config.segmentation.minimum_areas == "percentile"
    else []
)


rule segmentation_thresholds:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        probability=lambda w: [
            f"<results>/{w.dataset}/probability/{model}/{w.fusion}/{image}.zarr" for model, image in held_out(w)
        ],
        normalized=each(
            "<results>/{dataset}/normalized/{image}.zarr", image=lambda w: sorted({image for _, image in held_out(w)})
        ),
        candidates=each("<results>/{dataset}/index/candidates/{image}.parquet", image=area_images),
    output:
        "<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json",
    log:
        "<logs>/{dataset}/segmentation/{model}/{fusion}/thresholds.log",
    benchmark:
        "<benchmarks>/{dataset}/segmentation/segmentation_thresholds/{model}/{fusion}/thresholds.tsv"
    resources:
        mem_mb=memory_of("segmentation_thresholds"),
    params:
        **recorded(
            lambda w: depends.segmentation_thresholds(run_of(w), w.model),
            script="5_segmentation.py",
            function="segmentation_thresholds",
        ),
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
        **recorded(
            lambda w: depends.segmentation_image(run_of(w), w.model),
            script="5_segmentation.py",
            function="segmentation_image",
        ),
    message:
        "{wildcards.dataset}: lesions of {wildcards.image} by {wildcards.model}, {wildcards.fusion}"
    script:
        "5_segmentation.py"


rule segmentation_lesions:
    input:
        each("<results>/{dataset}/segmentation/{model}/{fusion}/{image}.geojson", image=evaluated),
    output:
        "<results>/{dataset}/segmentation/{model}/{fusion}/lesions.parquet",
    log:
        "<logs>/{dataset}/segmentation/{model}/{fusion}/lesions.log",
    benchmark:
        "<benchmarks>/{dataset}/segmentation/segmentation_lesions/{model}/{fusion}/lesions.tsv"
    resources:
        mem_mb=memory_of("segmentation_lesions"),
    params:
        **recorded(
            lambda w: {},
            script="5_segmentation.py",
            function="segmentation_lesions",
            slots=4,
        ),
    message:
        "{wildcards.dataset}: table of lesions by {wildcards.model}, {wildcards.fusion}"
    script:
        "5_segmentation.py"


# Maps of the images for the list of hard negatives; with folds, of the members that had not seen them.
listed = lambda w: false_positive_sources(
    images_table(w), name=w.model, members=run_of(w).config.model.held_out_by(w.model)
)


# Made on request only: without folds it needs the probability maps of the training images, which nothing else needs.
rule segmentation_hard_negatives:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        probability=lambda w: [
            f"<results>/{w.dataset}/probability/{model}/{w.fusion}/{image}.zarr" for model, image in listed(w)
        ],
        normalized=each(
            "<results>/{dataset}/normalized/{image}.zarr", image=lambda w: sorted({image for _, image in listed(w)})
        ),
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
        **recorded(
            lambda w: depends.segmentation_hard_negatives(run_of(w), w.model),
            script="5_segmentation.py",
            function="segmentation_hard_negatives",
        ),
    message:
        "{wildcards.dataset}: false positives of {wildcards.model}, {wildcards.fusion}, in images that models learn from"
    script:
        "5_segmentation.py"


rule segmentation:
    input:
        targets("segmentation"),
    localrule: True
