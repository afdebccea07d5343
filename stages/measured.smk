"""Images and maps that results are measured on: with folds each image by the member that had not seen it."""


def measured(wildcards):
    """Images that the scores of a model are measured on."""
    config = run_of(wildcards).config
    folds = config.model.folds_of(wildcards.model)
    return measured_images(images_table(wildcards), folds=folds, splits=config.probability.splits)


def scored(wildcards, model):
    """Maps that a model is measured on, as models and images: with folds each image by the member that had not seen it."""
    config = run_of(wildcards).config
    kinds = {"folds": config.model.folds_of(model), "out_of_fold": config.model.out_of_fold(model)}
    return measured_sources(images_table(wildcards), name=model, splits=config.probability.splits, **kinds)


def scored_stores(word):
    """An input function: stores that a model and fusion are measured on."""
    return lambda w: [
        f"<results>/{w.dataset}/{word}/{model}/{w.fusion}/{image}.zarr" for model, image in scored(w, w.model)
    ]


def held_of_shown(word):
    """An input function: stores of the result that is shown first which others made, of images that they had not seen."""

    def paths(wildcards):
        shown, fusion = run_of(wildcards).config.shown_result
        pairs = scored(wildcards, shown) if shown else ()
        folder = f"<results>/{wildcards.dataset}/{word}"
        return [f"{folder}/{model}/{fusion}/{image}.zarr" for model, image in pairs if model != shown]

    return paths
