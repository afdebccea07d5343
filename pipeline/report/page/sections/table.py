"""Sections of the page of one data set: the one table of them, in the order of the page.

A new section is a function of the facts, a template ``templates/section_{name}.html``, and a row of ``SECTIONS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.report.page.facts import Facts
from pipeline.report.page.sections.borders import borders_section
from pipeline.report.page.sections.every import every_section
from pipeline.report.page.sections.hardest import hardest_section
from pipeline.report.page.sections.images import images_section
from pipeline.report.page.sections.metrics import metrics_section
from pipeline.report.page.sections.normalisation import normalisation_section
from pipeline.report.page.sections.overlays import overlays_section
from pipeline.report.page.sections.patches import patches_section
from pipeline.report.page.sections.run import run_section
from pipeline.report.page.sections.stains import stains_section
from pipeline.report.page.sections.times import times_section
from pipeline.report.page.sections.training import training_section

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True, slots=True)
class Section:
    """Section of the page: one function, one template."""

    name: str
    """Anchor on the page."""
    title: str
    """Text of the link in the navigation."""
    template: str
    """File in ``templates``: what stands between the tags ``<section>``, its heading first."""
    content: Callable[[Facts], Mapping[str, Any] | None]
    """Writes the pictures to ``facts.folder`` and gives what the template names, which also knows ``folder``, the
    pictures as the page links to them; None leaves the section out."""


SECTIONS = (
    Section("images", "Images", "section_images.html", images_section),
    Section("every", "Every image", "section_every.html", every_section),
    Section("normalisation", "Normalisation", "section_normalisation.html", normalisation_section),
    Section("stains", "Stains", "section_stains.html", stains_section),
    Section("patches", "Patches", "section_patches.html", patches_section),
    Section("training", "Training", "section_training.html", training_section),
    Section("hardest", "Hardest", "section_hardest.html", hardest_section),
    Section("metrics", "Metrics", "section_metrics.html", metrics_section),
    Section("borders", "Borders", "section_borders.html", borders_section),
    Section("overlays", "Overlays", "section_overlays.html", overlays_section),
    Section("run", "Run", "section_run.html", run_section),
    Section("times", "Times", "section_times.html", times_section),
)
"""In the order of the page and of its navigation."""
