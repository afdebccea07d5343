"""normalized: an image -> OME-Zarr with pyramid, truth and region of interest; H&E by way of its stains and a target."""

STAGE_RESULTS["normalized"] = each("<results>/{dataset}/normalized/{image}.zarr", image=usable)
# Not parameters: the amount of an image in memory changes nothing in it.
BLOCKS = {
    "strip_rows": lambda w: run_of(w).config.normalized.strip_rows,
    "strip_columns": lambda w: run_of(w).config.normalized.strip_columns,
}
TARGET, TARGET_CONTENTS = named_file("normalized.stain.target", lambda w: depends.target_file(run_of(w)))


rule normalized_stain:
    input:
        # What a sheet says beside what the files hold, such as the patient, changes no pixel.
        sheet=ancient("<results>/{dataset}/raw/{image}.json"),
        read=all_were_read,
    output:
        "<results>/{dataset}/normalized/{image}.stain.json",
    log:
        "<logs>/{dataset}/normalized/{image}.stain.log",
    benchmark:
        "<benchmarks>/{dataset}/normalized/normalized_stain/{image}.stain.tsv"
    threads: lambda w: run_of(w).config.normalized.workers
    resources:
        **BLOCKS,
        mem_mb=memory_of("normalized_stain"),
    params:
        **recorded(
            lambda w: depends.normalized_stain(run_of(w), entry_of(w).facts()),
            script="1_normalized.py",
            function="normalized_stain",
        ),
        files=files_of,
        largest_decode=largest_decode_of,
        contents=lambda w: inputs_of(w).content(),
    message:
        "{wildcards.dataset}: estimating the stains of {wildcards.image}"
    script:
        "1_normalized.py"


rule normalized_target:
    input:
        file=TARGET,
        estimates=each("<results>/{dataset}/normalized/{image}.stain.json", image=median_images),
    output:
        "<results>/{dataset}/normalized/target.json",
    log:
        "<logs>/{dataset}/normalized/target.log",
    benchmark:
        "<benchmarks>/{dataset}/normalized/normalized_target/target.tsv"
    resources:
        mem_mb=memory_of("normalized_target"),
    params:
        **recorded(
            lambda w: depends.normalized_target(run_of(w)), script="1_normalized.py", function="normalized_target"
        ),
        **TARGET_CONTENTS,
        largest_decode=largest_decode_of,
    message:
        "{wildcards.dataset}: target of stain normalisation"
    script:
        "1_normalized.py"


rule normalized_image:
    input:
        # What a sheet says beside what the files hold, such as the patient, changes no pixel.
        sheet=ancient("<results>/{dataset}/raw/{image}.json"),
        read=all_were_read,
        stain=each("<results>/{dataset}/normalized/{image}.stain.json", image=lambda w: stained(w, [w.image])),
        target=each("<results>/{dataset}/normalized/{name}.json", name=lambda w: stained(w, ["target"])),
    output:
        directory("<results>/{dataset}/normalized/{image}.zarr"),
    log:
        "<logs>/{dataset}/normalized/{image}.log",
    benchmark:
        "<benchmarks>/{dataset}/normalized/normalized_image/{image}.tsv"
    threads: lambda w: run_of(w).config.normalized.workers
    resources:
        **BLOCKS,
        mem_mb=memory_of("normalized_image"),
    params:
        # One function for each chain, so that code of the other one reruns nothing here.
        **recorded(
            lambda w: depends.normalized_image(run_of(w), entry_of(w).facts()),
            script="1_normalized.py",
            function=lambda w: f"{run_of(w).config.normalized.chain}_image",
        ),
        files=files_of,
        largest_decode=largest_decode_of,
        contents=lambda w: inputs_of(w).content(),
        shown=lambda w, input: run_of(w).record.shown,  # names and colours change no value
    message:
        "{wildcards.dataset}: normalising {wildcards.image}"
    script:
        "1_normalized.py"


rule normalized:
    input:
        targets("normalized"),
    localrule: True
