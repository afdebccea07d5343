"""report: everything -> metrics, the page of a data set, and the index over all data sets."""

STAGE_RESULTS["report"] = lambda dataset: f"<results>/{dataset}/report/index.html"


rule report_metrics:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        thresholds="<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json",
        probability=each_measured("<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr"),
        segmentation=each_measured("<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr"),
        normalized=each_measured("<results>/{dataset}/normalized/{image}.zarr"),
    output:
        images="<results>/{dataset}/report/{model}.{fusion}.images.parquet",
        classes="<results>/{dataset}/report/{model}.{fusion}.classes.parquet",
    log:
        "<logs>/{dataset}/report/{model}.{fusion}.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_metrics/{model}.{fusion}.tsv"
    resources:
        mem_mb=memory_of("report_metrics"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "folds": folds_of(w.dataset, w.model),
            "report": {"bootstrap": stage_config(w.dataset, "report")["bootstrap"]},
            "seed": seed_of(w.dataset),
        },
        code=code_of("6_report.py", "report_metrics"),
    message:
        "{wildcards.dataset}: measuring {wildcards.model}, {wildcards.fusion}"
    script:
        "6_report.py"


rule report_borders:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        probability=each_measured_fusion("<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr"),
        segmentation=each_measured_fusion("<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr"),
        normalized=each_measured("<results>/{dataset}/normalized/{image}.zarr"),
    output:
        "<results>/{dataset}/report/{model}.borders.parquet",
    log:
        "<logs>/{dataset}/report/{model}.borders.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_borders/{model}.borders.tsv"
    resources:
        mem_mb=memory_of("report_borders"),
    params:
        config=lambda w: {
            "record": bare_record(w.dataset),
            "folds": folds_of(w.dataset, w.model),
        },
        code=code_of("6_report.py", "report_borders"),
    message:
        "{wildcards.dataset}: window borders in the maps of {wildcards.model}"
    script:
        "6_report.py"


rule report_page:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        originals=lambda w: [
            IMAGES[w.dataset][image].image for image in usable(w.dataset) if IMAGES[w.dataset][image].image
        ],
        normalized=each_image("<results>/{dataset}/normalized/{image}.zarr", usable),
        stains=lambda w: stains_of(w.dataset),
        target=lambda w: target_of(w.dataset),
        indexes=lambda w: expand(
            "<results>/{dataset}/index/{sampling}.parquet",
            dataset=w.dataset,
            sampling=sorted(DATASETS[w.dataset].config.index.samplings),
        ),
        models=lambda w: expand(
            "<results>/{dataset}/model/{model}",
            dataset=w.dataset,
            model=models_of(w.dataset),
        ),
        probability=each_result_image("<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr"),
        segmentation=each_result_image("<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr"),
        lesions=each_result("<results>/{dataset}/segmentation/{model}/{fusion}/lesions.parquet"),
        thresholds=each_result("<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json"),
        metrics_images=each_result("<results>/{dataset}/report/{model}.{fusion}.images.parquet"),
        metrics_classes=each_result("<results>/{dataset}/report/{model}.{fusion}.classes.parquet"),
        borders=lambda w: expand(
            "<results>/{dataset}/report/{model}.borders.parquet",
            dataset=w.dataset,
            model=models_of(w.dataset),
        ),
        templates=TEMPLATES,
    output:
        page="<results>/{dataset}/report/index.html",
        times=multiext("<results>/{dataset}/report/times", ".csv", ".html"),
        figures=directory("<results>/{dataset}/report/figures"),
        summary="<results>/{dataset}/report/summary.parquet",
    log:
        "<logs>/{dataset}/report/page.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_page/page.tsv"
    resources:
        mem_mb=memory_of("report_page"),
    params:
        config=lambda w: {
            "dataset": w.dataset,
            "record": full_record(w.dataset),
            "stages": DATASETS[w.dataset].config.model_dump(mode="json"),
            "seed": seed_of(w.dataset),
            "images": {image: IMAGES[w.dataset][image].number for image in usable(w.dataset)},
            "results": [[model, fusion] for model in models_of(w.dataset) for fusion in fusions_of(w.dataset)],
        },
        code=code_of("6_report.py", "report_page"),
    message:
        "{wildcards.dataset}: report"
    script:
        "6_report.py"


rule report_index:
    input:
        pages=expand("<results>/{dataset}/report/index.html", dataset=DATASETS),
        summaries=expand("<results>/{dataset}/report/summary.parquet", dataset=DATASETS),
        templates=TEMPLATES,
    output:
        "<results>/index.html",
    log:
        "<logs>/index.log",
    params:
        config={"datasets": list(DATASETS)},
        code=code_of("6_report.py", "report_index"),
    message:
        "index of all data sets"
    script:
        "6_report.py"


rule report:
    input:
        targets("report"),
        "<results>/index.html",
    localrule: True
