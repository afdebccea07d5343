"""Progress of a training: time left, and what lies in the folder after each epoch."""

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.model.progress import Pace, shown_number, write_progress

ROW = {"train_loss": 1.0, "validation_loss": math.nan, "mean_dice": 0.5, "dice_MA": 0.25, "dice_OD": math.nan}


def test_time_left_follows_the_steps_of_this_process_alone() -> None:
    now = [100.0]
    pace = Pace(steps=50, clock=lambda: now[0])
    now[0] = 110.0
    pace.begin(20)
    assert pace.left(20) == "-:--:--"
    now[0] = 120.0
    assert pace.left(25) == "0:00:50"
    now[0] = 3710.0
    assert pace.left(40) == "0:30:00"
    assert pace.left(50) == "0:00:00"


def test_the_table_and_the_curves_show_all_epochs_so_far(tmp_path: Path) -> None:
    pictures = []
    for epochs in (1, 3):
        history = [{"epoch": epoch + 1, **ROW, "train_loss": 1 / (epoch + 1)} for epoch in range(epochs)]
        write_progress(tmp_path, history, codes=("MA", "OD"))
        table = pd.read_csv(tmp_path / "history.csv")
        pd.testing.assert_frame_equal(table, pd.DataFrame(history), check_dtype=False)
        pictures.append(np.asarray(Image.open(io.BytesIO((tmp_path / "progress.png").read_bytes())).convert("RGB")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "progress.png"]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
    assert pictures[0].min() < 60 < 250 < pictures[0].max()


def test_what_is_no_number_is_a_dash() -> None:
    assert (shown_number(math.nan), shown_number(0.12345)) == ("-", "0.1235")
