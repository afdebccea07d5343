"""Tables of counts of whole images, for tests of what is summed from them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def count_rows(pixels: Sequence[tuple[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]]) -> pd.DataFrame:
    """Counts of each image and class at a threshold of a half."""
    rows = []
    for at, (group, own) in enumerate(pixels):
        for code, (score, truth) in own.items():
            mask = score >= 0.5
            pairs = {"tp": truth & mask, "fp": ~truth & mask, "fn": truth & ~mask, "tn": ~truth & ~mask}
            counts = {name: int(each.sum()) for name, each in pairs.items()}
            rows.append({"image_id": f"i{at}", "group_id": group, "class_code": code, **counts})
    return pd.DataFrame(rows)
