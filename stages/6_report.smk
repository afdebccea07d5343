"""report: everything -> metrics, the page of a data set, and the index over all data sets."""

from types import SimpleNamespace


include: "measured.smk"


STAGE_RESULTS["report"] = each("<results>/{dataset}/report/index.html")

# Copied beside the pages of images, once per report.
VIEWER = sorted(map(os.path.relpath, (PACKAGE / "report" / "page" / "viewer").iterdir()))


# Images also measured on the grid of their originals, with the truth from their files.
scored_images = lambda w: [image for _, image in scored(w, w.model)]
on_originals = lambda w: scored_images(w) if depends.measures_originals(run_of(w)) else []


rule report_metrics:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        thresholds="<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json",
        held_thresholds=lambda w: [
            f"<results>/{w.dataset}/segmentation/{model}/{w.fusion}/thresholds.json"
            for model in sorted({model for model, _ in scored(w, w.model)} - {w.model})
        ],
        probability=scored_stores("probability"),
        segmentation=scored_stores("segmentation"),
        # All of them: truth outside the roi of training images is said beside the card too.
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=usable),
        sheets=each("<results>/{dataset}/raw/{image}.json", image=on_originals),
    output:
        images="<results>/{dataset}/report/{model}.{fusion}.images.parquet",
        classes="<results>/{dataset}/report/{model}.{fusion}.classes.parquet",
        lesions="<results>/{dataset}/report/{model}.{fusion}.lesions.parquet",
        parts="<results>/{dataset}/report/{model}.{fusion}.parts.parquet",
        errors="<results>/{dataset}/report/{model}.{fusion}.errors.parquet",
    log:
        "<logs>/{dataset}/report/{model}.{fusion}.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_metrics/{model}.{fusion}.tsv"
    resources:
        mem_mb=memory_of("report_metrics"),
    params:
        **recorded(
            lambda w: depends.report_metrics(run_of(w), w.model), script="6_report.py", function="report_metrics"
        ),
        # Not inputs: what they hold is in the normalised images, which are made again when it changes.
        truths=lambda w, input: {
            image: (IMAGES[w.dataset][image].facts(), IMAGES[w.dataset][image].file_lists())
            for image in on_originals(w)
        },
        classes=lambda w, input: run_of(w).record.model_dump(mode="json")["classes"],
    message:
        "{wildcards.dataset}: measuring {wildcards.model}, {wildcards.fusion}"
    script:
        "6_report.py"


rule report_borders:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        probability=each(
            "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr", fusion=fusions, image=measured
        ),
        segmentation=each(
            "<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr", fusion=fusions, image=measured
        ),
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=measured),
    output:
        "<results>/{dataset}/report/{model}.borders.parquet",
    log:
        "<logs>/{dataset}/report/{model}.borders.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_borders/{model}.borders.tsv"
    resources:
        mem_mb=memory_of("report_borders"),
    params:
        **recorded(
            lambda w: depends.report_borders(run_of(w), w.model), script="6_report.py", function="report_borders"
        ),
    message:
        "{wildcards.dataset}: window borders in the maps of {wildcards.model}"
    script:
        "6_report.py"


# Pages of single images in deep zoom: of all, or of those selected by measures. They hold all layers of the result
# shown first, and prediction and errors of the others.
shown_model = lambda w: [name for name in run_of(w).config.shown_result[:1] if name]
shown_fusion = lambda w: run_of(w).config.shown_result[1:]
shown_samplings = lambda w: sorted({model.sampling for model in run_of(w).config.shown_models})
zoomed = lambda w: usable(w) if run_of(w).config.report.zoom == "all" else []
worst = lambda w: shown_model(w) if run_of(w).config.report.worst else []
worst_of = lambda w: measured(SimpleNamespace(dataset=w.dataset, model=shown_model(w)[0]))
own_maps = lambda w: [w.image] if w.image in evaluated(w) else []
own_patches = lambda w: shown_samplings(w) if w.image in training(w) else []


rule report_viewer:
    input:
        VIEWER,
    output:
        directory("<results>/{dataset}/report/viewer"),
    log:
        "<logs>/{dataset}/report/viewer.log",
    localrule: True
    message:
        "{wildcards.dataset}: script of the pages of images"
    shell:
        "mkdir -p {output:q} && cp {input:q} {output:q} 2> {log:q} && sync {output:q}/* {output:q}"


use rule report_viewer as report_charts with:
    input:
        CHARTS,
    output:
        directory("<results>/{dataset}/report/charts"),
    log:
        "<logs>/{dataset}/report/charts.log",
    message:
        "{wildcards.dataset}: script of charts"


rule report_zoom:
    input:
        normalized="<results>/{dataset}/normalized/{image}.zarr",
        probability=each(
            "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr",
            model=shown_model,
            fusion=shown_fusion,
            image=own_maps,
        ),
        segmentation=each(
            "<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr",
            model=models,
            fusion=fusions,
            image=own_maps,
        ),
        indexes=each("<results>/{dataset}/index/{sampling}.parquet", sampling=own_patches),
        template=[path for path in TEMPLATES if path.endswith("zoom.html")],
    output:
        directory("<results>/{dataset}/report/zoom/{image}"),
    log:
        "<logs>/{dataset}/report/zoom/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_zoom/{image}.tsv"
    resources:
        mem_mb=memory_of("report_zoom"),
    params:
        **recorded(
            lambda w: depends.report_zoom(run_of(w), entry_of(w).facts()),
            script="6_report.py",
            function="report_zoom",
        ),
        # Not inputs: what they hold is in the normalised image.
        files=files_of,
        largest_decode=largest_decode_of,
    message:
        "{wildcards.dataset}: {wildcards.image} in deep zoom"
    script:
        "6_report.py"


# One job for all of them: it selects the images when it runs, so no checkpoint has to replan the run.
rule report_worst:
    input:
        metrics=each(
            "<results>/{dataset}/report/{model}.{fusion}.images.parquet", model=shown_model, fusion=shown_fusion
        ),
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=worst_of),
        probability=each(
            "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr",
            model=shown_model,
            fusion=shown_fusion,
            image=worst_of,
        ),
        segmentation=each(
            "<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr",
            model=models,
            fusion=fusions,
            image=worst_of,
        ),
        indexes=each("<results>/{dataset}/index/{sampling}.parquet", sampling=shown_samplings),
        template=[path for path in TEMPLATES if path.endswith("zoom.html")],
    output:
        directory("<results>/{dataset}/report/worst"),
    log:
        "<logs>/{dataset}/report/worst.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_worst/worst.tsv"
    resources:
        mem_mb=memory_of("report_worst"),
    params:
        **recorded(
            lambda w: depends.report_worst(
                run_of(w), {image: IMAGES[w.dataset][image].facts() for image in worst_of(w)}
            ),
            script="6_report.py",
            function="report_worst",
            slots=400,
        ),
        # Not inputs: what they hold is in the normalised images.
        files=lambda w, input: {image: IMAGES[w.dataset][image].file_lists() for image in worst_of(w)},
        largest_decode=largest_decode_of,
    message:
        "{wildcards.dataset}: the worst images in deep zoom"
    script:
        "6_report.py"


# Groups of figures for `snakemake --report`, by the beginning of their names.
FIGURES = {
    "image": "Errors in images",
    "model": "Training",
    "patches": "Patches",
    "stains": "Stains",
    "borders": "Window borders",
}


rule report_page:
    input:
        images="<results>/{dataset}/raw/images.parquet",
        sheets=each("<results>/{dataset}/raw/{image}.json", image=lambda w: IMAGES[w.dataset]),
        normalized=each("<results>/{dataset}/normalized/{image}.zarr", image=usable),
        stains=each("<results>/{dataset}/normalized/{image}.stain.json", image=lambda w: stained(w, usable(w))),
        target=each("<results>/{dataset}/normalized/{name}.json", name=lambda w: stained(w, ["target"])),
        indexes=each("<results>/{dataset}/index/{sampling}.parquet", sampling=samplings),
        models=each("<results>/{dataset}/model/{model}", model=models),
        probability=each(
            "<results>/{dataset}/probability/{model}/{fusion}/{image}.zarr",
            model=models,
            fusion=fusions,
            image=evaluated,
        ),
        segmentation=each(
            "<results>/{dataset}/segmentation/{model}/{fusion}/{image}.zarr",
            model=models,
            fusion=fusions,
            image=evaluated,
        ),
        held_probability=held_of_shown("probability"),
        held_segmentation=held_of_shown("segmentation"),
        lesions=each("<results>/{dataset}/segmentation/{model}/{fusion}/lesions.parquet", model=models, fusion=fusions),
        thresholds=each(
            "<results>/{dataset}/segmentation/{model}/{fusion}/thresholds.json", model=models, fusion=fusions
        ),
        metrics_images=each("<results>/{dataset}/report/{model}.{fusion}.images.parquet", model=models, fusion=fusions),
        metrics_classes=each(
            "<results>/{dataset}/report/{model}.{fusion}.classes.parquet", model=models, fusion=fusions
        ),
        # Measures that were written before lesions were counted lack it, and are made again.
        metrics_lesions=each(
            "<results>/{dataset}/report/{model}.{fusion}.lesions.parquet", model=models, fusion=fusions
        ),
        metrics_parts=each("<results>/{dataset}/report/{model}.{fusion}.parts.parquet", model=models, fusion=fusions),
        metrics_errors=each("<results>/{dataset}/report/{model}.{fusion}.errors.parquet", model=models, fusion=fusions),
        borders=each("<results>/{dataset}/report/{model}.borders.parquet", model=models),
        hardest=each("<results>/{dataset}/model/.hardest/{model}.parquet", model=shown_model),
        zoom=each("<results>/{dataset}/report/zoom/{image}", image=zoomed),
        worst=each("<results>/{dataset}/report/worst", model=worst),
        viewer=each("<results>/{dataset}/report/viewer", image=lambda w: [*zoomed(w), *worst(w)][:1]),
        charts="<results>/{dataset}/report/charts",
        templates=TEMPLATES,
    output:
        page="<results>/{dataset}/report/index.html",
        times=multiext("<results>/{dataset}/report/times", ".csv", ".html"),
        # For `snakemake --report`; the page itself shows all of them.
        figures=report(
            directory("<results>/{dataset}/report/figures"),
            patterns=["{figure}.light.png", "{figure}.whole.errors.jpg", "{figure}.sheet.jpg"],
            caption="figures.rst",
            category=lambda w: FIGURES.get(w.figure.partition(".")[0], "Measures"),
            subcategory="{dataset}",
            labels={"figure": "{figure}"},
        ),
        summary="<results>/{dataset}/report/summary.parquet",
        numbers="<results>/{dataset}/report/summary.json",
    log:
        "<logs>/{dataset}/report/page.log",
    benchmark:
        "<benchmarks>/{dataset}/report/report_page/page.tsv"
    resources:
        mem_mb=memory_of("report_page"),
    params:
        **recorded(
            lambda w: depends.report_page(
                run_of(w), {image: entry.number for image, entry in usable_entries(w).items()}
            ),
            script="6_report.py",
            function="report_page",
            slots=400,
        ),
        # Not inputs: what they hold is in the normalised images.
        originals=lambda w, input: [str(entry.image) for entry in usable_entries(w).values() if entry.image],
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
        **recorded(lambda w: depends.report_index(DATASETS.values()), script="6_report.py", function="report_index"),
    message:
        "index of all data sets"
    script:
        "6_report.py"


rule report:
    input:
        targets("report"),
        "<results>/index.html",
    localrule: True
