"""Parameters for an inspected folder, from a fingerprint of its data and of the machine, with their reasons."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config import ModelSettings
from pipeline.counts import number_of
from pipeline.project import document
from pipeline.raw.inspection.fingerprint import LOOKED_AT, Fingerprint, Lesions
from pipeline.runtime.measured import TORCH, activations_of

__all__ = ["Machine", "settings_text", "this_machine"]

LONG_SIDE = 2200
"""Longer side in pixels for which a CPU takes minutes per image to normalise, train and predict."""
SEEN = 5.0
"""Least diameter in pixels of a small lesion, so that a network whose finest map is half the size of its input can see
it."""
PATCHES = {False: 384, True: 512}
"""Side of a patch without and with a GPU."""
STEPS = {False: 1400, True: 8000}
BATCH = {False: 4, True: 8}
"""Patches per step if memory allows; else it is halved."""
TOTAL = 4800
NEITHER = (
    "   # of pictures that are neither fundus nor H&E: [{name}@unprocessed], and normalized: {{field_of_view: whole}} "
    "below; their pixels are left as they are"
)
A_TRAINING_IMAGE = 120
"""Approximate maximum of patches per image; with moving crops their places differ at every visit."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores, GPU and memory that a training can use here."""

    cores: int
    gpu: bool
    memory: int = 0
    """Memory in bytes, of the first GPU if there is one; 0 where unknown."""


def this_machine() -> Machine:
    """Cores that this process may use, whether an NVIDIA GPU is there, and the memory of it or of the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    program = shutil.which("nvidia-smi")
    return Machine(cores, gpu=program is not None, memory=_of_gpu(program) if program else _of_machine())


def _of_machine() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # No such names on this system.
        return 0


def _of_gpu(program: str) -> int:
    call = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 nvidia-smi itself
        return int(done.stdout.splitlines()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):  # A driver that does not answer.
        return 0


def settings_text(
    name: str, found: Fingerprint, lesions: Mapping[str, Lesions], *, manifest: str, machine: Machine, several: bool
) -> str:
    """Configuration as YAML with comments.

    Parameters
    ----------
    name
        Name of the data set.
    found
        Sizes and world of the images.
    lesions
        Class code → its lesions in some images.
    manifest
        Name of the manifest beside the configuration.
    machine
        Where it will be trained.
    several
        Whether there are several classes.
    """
    factor, why = _factor(found, lesions, gpu=machine.gpu)
    fundus = several or found.world != "histology"
    free = bool(sum(each.empty for each in lesions.values()))
    patch = _patch(found, factor, gpu=machine.gpu, halved=not fundus and not free)
    total = min(TOTAL, A_TRAINING_IMAGE * found.images)
    sampling, block = _sampling(patch, total, guided=fundus, free=free)
    steps = STEPS[machine.gpu] if fundus else STEPS[machine.gpu] // 2
    batch, needs = _batch(machine, patch)
    readers = max(0, min(4, machine.cores - 2))
    told = [f"#   {code}: {_told(each)}" for code, each in lesions.items()]
    return "\n".join(
        [
            f"# Parameters for {name}: a start, with its reasons. All others and their defaults: {document('docs/reference.md')}",
            f"# {number_of(found.images, 'image')} of {found.width}×{found.height} pixels (median); {_machine(machine)}.",
            *([_told_of(), *told] if told else []),
            f"manifest: {manifest}   # relative to the folder in which commands are called",
            f"datasets: [{name}]{'' if found.world else NEITHER.format(name=name)}",
            "",
            "overrides:",
            f"  {name}:",
            "    normalized:",
            f"      rescale: {{factor: {factor}}}   # {why}"
            if factor != 1
            else f"      rescale: {{factor: null}}   # {why}",
            "    index:",
            "      samplings:",
            # The histology recipe, which may be the answer, has its own sampling, which would be drawn beside this one.
            *(["        balanced: null   # not drawn"] if sampling == "guided" and found.world != "fundus" else []),
            f"        {sampling}:",
            *(f"          {line}" for line in block),
            "    model:",
            "      models:",
            "        unet:",
            f"          sampling: {sampling}",
            # The recipe of histology, which may be the answer, has a loss for one class.
            *(["          loss: [{name: dice}, {name: focal}]"] if several and found.world != "fundus" else []),
            f"          steps: {steps}   # {'of a GPU, an hour or so' if machine.gpu else 'on a CPU: `lesionmap check` estimates the time'}",
            f"          patches_per_epoch: {min(total, steps * batch // 4)}   # validated and saved four times or more",
            f"          batch_size: {batch}   # {needs}",
            *(
                [f"          readers: {readers}   # processes that read patches; {machine.cores} cores are there"]
                if readers
                else []
            ),
            "",
        ]
    )


def _machine(machine: Machine) -> str:
    memory = f" with {machine.memory / 2**30:.0f} GB of memory" if machine.memory else ""
    return f"{number_of(machine.cores, 'core')}{'' if machine.gpu else memory}, {f'a GPU{memory}' if machine.gpu else 'no GPU was found'}"


def _batch(machine: Machine, patch: int) -> tuple[int, str]:
    """Patches of a step that need at most half of the memory, and what they need."""
    default = ModelSettings()
    per_patch = activations_of(default.network, default.encoder).training * patch**2
    fixed = 0 if machine.gpu else TORCH
    batch = BATCH[machine.gpu]
    while machine.memory and batch > 1 and fixed + batch * per_patch > machine.memory / 2:
        batch //= 2
    needs = f"a step needs about {(fixed + batch * per_patch) / 2**30:.1f} GB"
    return batch, needs if batch == BATCH[machine.gpu] else f"{needs}; more would need over half of the memory"


def _told_of() -> str:
    return (
        f"# Lesions, measured in at most {LOOKED_AT} truth files of each class, evenly spread, in pixels of the images "
        "(the values in the manifest come from a sample of their own):"
    )


def _told(found: Lesions) -> str:
    if not found.count:
        return f"none in {number_of(found.files, 'file')}"
    return (
        f"{found.count} in {found.files - found.empty} of {number_of(found.files, 'file')}, a quarter below {found.small_px:.0f} px across, "
        f"half below {found.median_px:.0f}; {100 * found.share:.2g} % of the pixels"
    )


def _factor(found: Fingerprint, lesions: Mapping[str, Lesions], *, gpu: bool) -> tuple[float, str]:
    longer = max(found.height, found.width)
    wanted = 1.0 if gpu or longer <= LONG_SIDE else LONG_SIDE / longer
    small = min((each.small_px for each in lesions.values() if each.count), default=0.0)
    keeps = min(1.0, SEEN / small) if small else 0.5
    factor = min(1.0, max(wanted, keeps))
    steps = [step for step in (0.125, 0.25, 0.33, 0.5, 0.67, 0.75, 1.0) if step >= factor - 0.04]
    factor = steps[0]
    if factor == 1:
        return 1, "original pixels" + (
            "" if wanted == 1 else f": at less, small lesions ({small:.0f} px) would be lost"
        )
    return (
        factor,
        f"{longer} pixels are slow without a GPU; small lesions keep {small * factor:.0f} px across"
        if small
        else (f"{longer} pixels are slow without a GPU"),
    )


def _patch(found: Fingerprint, factor: float, *, gpu: bool, halved: bool) -> int:
    # If every image has lesions, patches without any must fit between them.
    fits = int(found.smallest_side * factor * (0.5 if halved else 1)) // 32 * 32
    return max(64, min(PATCHES[gpu], fits))


def _sampling(patch: int, total: int, *, guided: bool, free: bool) -> tuple[str, list[str]]:
    """Name of the sampling and the lines of its block; ``free`` says whether an image free of lesions was seen."""
    common = [f"patch: {patch}   # pixels of the rescaled image", f"total: {total}"]
    if guided:
        return "guided", [
            "strategy: guided   # patches around lesions of every class, rare ones as often as frequent ones",
            *common,
            f"jitter: {patch * 3 // 8}",
            "background_share: 0.1",
        ]
    lines = ["strategy: balanced   # as many patches with lesions as without", *common]
    if not free:
        lines.append(
            "negatives: anywhere   # no image looked at is free of lesions: patches without come from between them"
        )
        lines.append(f"negative_distance: {patch // 4}")
    return "balanced", lines
