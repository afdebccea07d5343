"""experiments: measures of all arms -> their tables and a page. Arms are ordinary models, fusions and data set variants."""

from pipeline.config.depends_experiments import arm_paths
from pipeline.config.depends_experiments import experiments_page as experiments_values

ARMS = experiments_values(RUN, DATASETS.values())
of_arms = lambda pattern: lambda w: arm_paths(pattern, ARMS)


use rule report_charts as experiments_charts with:
    output:
        directory("<results>/experiments/charts"),
    log:
        "<logs>/experiments/charts.log",
    message:
        "script of charts"


rule experiments_page:
    input:
        models=of_arms("<results>/{dataset}/model/{model}"),
        images=of_arms("<results>/{dataset}/report/{model}.{fusion}.images.parquet"),
        classes=of_arms("<results>/{dataset}/report/{model}.{fusion}.classes.parquet"),
        charts="<results>/experiments/charts",
        templates=TEMPLATES,
    output:
        multiext("<results>/experiments/results", ".parquet", ".csv"),
        multiext("<results>/experiments/measures", ".parquet", ".csv"),
        multiext("<results>/experiments/differences", ".parquet", ".csv"),
        multiext("<results>/experiments/image_differences", ".parquet", ".csv"),
        page="<results>/experiments/index.html",
        figures=directory("<results>/experiments/figures"),
    log:
        "<logs>/experiments/page.log",
    params:
        **recorded(lambda w: ARMS, script="experiments.py", function="experiments_page", slots=400),
    message:
        "tables and page of experiments"
    script:
        "experiments.py"


rule experiments:
    input:
        "<results>/experiments/index.html",
    localrule: True
