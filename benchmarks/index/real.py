"""Share of training patches with each lesion of IDRiD, for every sampling, by ``snakemake index``."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

__all__ = ["section"]

CODES = ("MA", "HE", "EX", "SE", "OD")
SAMPLINGS = {
    "grid": {"strategy": "grid"},
    **{
        f"guided, β = {beta}": {"strategy": "guided", "total": 2000, "beta": beta, "background_share": 0.0}
        for beta in (0.0, 0.5, 1.0)
    },
}


def _named(text: str) -> str:
    return text.replace("guided, β = ", "beta")


def section(root: Path, folder: Path) -> str:
    """Build the four indexes with the default preprocessing and compare their training rows."""
    config = folder / "compare.yaml"
    named = {_named(name): sampling for name, sampling in SAMPLINGS.items()}
    change = {"index": {"samplings": {"guided": None, **named}}, "model": {"models": {"unet": {"sampling": "beta1.0"}}}}
    config.write_text(yaml.safe_dump({"overrides": {"idrid": change}}))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-j2",
        "index",
        "--configfile",
        str(config),
        "--config",
        'datasets=["idrid"]',
        f"roots={json.dumps({'idrid': str(root)})}",
        f"results={folder / 'results'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    lines = [f"| training patches | rows | {' | '.join(CODES)} | no truth |", "|---" * (len(CODES) + 3) + "|"]
    for name in SAMPLINGS:
        frame = pd.read_parquet(folder / "results" / "idrid" / "index" / f"{_named(name)}.parquet")
        train = frame[frame["split"] == "train"]
        shares = [f"{100 * (train[f'pixels_{code}'] > 0).mean():.0f} %" for code in CODES]
        lines.append(f"| {name} | {len(train)} | {' | '.join(shares)} | {100 * (~train['is_positive']).mean():.0f} % |")
        if name != "grid":
            drawn = train["target_class"].value_counts()
            lines.append(f"| – drawn for | {len(train)} | {' | '.join(str(int(drawn[code])) for code in CODES)} | |")
    images = pd.read_parquet(folder / "results" / "idrid" / "raw" / "images.parquet")
    count = int((images["split"] == "train").sum())
    head = f"{count} training images at full size, patches of 512; share of the patches that hold at least one pixel of a class."
    return "\n".join([head, "", *lines])
