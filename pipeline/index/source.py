"""Source of patches: an image of a split, with its store and its lesion components."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import GuidedSampling
from pipeline.index.candidates import Candidates, Lesions
from pipeline.index.sampling.frequency import eligible

__all__ = ["Source"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Image that patches may be cut from."""

    image_id: str
    """Its name."""
    group_id: str
    """Patient."""
    split: str
    """train, validation or test."""
    fold: int
    """Validation fold, −1 for none."""
    lesions_known: bool
    """Whether annotators looked for every lesion: only then does a patch without truth hold none. A disc does no harm."""
    store: Path
    """Its store of stage normalized."""
    candidates: Candidates
    """Its components."""

    def eligible(self, sampling: GuidedSampling) -> dict[str, Lesions]:
        """Components that may give anchors, by class."""
        least, most = sampling.least_area, sampling.most_area
        found = self.candidates.lesions.items()
        return {code: eligible(lesions, least_area=least, most_area=most) for code, lesions in found}
