"""Losses: what they weigh, what they ignore, and that they can be minimised."""

import itertools
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline.config import LossTerm, ModelSettings
from pipeline.errors import ModelError
from pipeline.model.loss import LOSSES, build_loss
from pipeline.model.network import build_network

FITTING = {
    "multiclass": ("dice", "tversky", "focal_tversky", "lovasz", "boundary", "focal", "cross_entropy"),
    "multilabel": ("dice", "tversky", "focal_tversky", "lovasz", "boundary", "focal", "bce"),
    "binary": ("dice", "tversky", "focal_tversky", "lovasz", "boundary", "focal", "bce"),
}
PAIRS = [(task, name) for task, names in FITTING.items() for name in names]
BY_PIXELS = [pair for pair in PAIRS if pair[1] != "boundary"]
"""Losses of a set of pixels: where they lie does not matter."""


def test_every_loss_of_the_table_can_be_configured_and_every_configurable_one_is_in_it() -> None:
    assert tuple(sorted(LOSSES)) == tuple(sorted(get_args(LossTerm.model_fields["name"].annotation)))


def example(task: str, side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and a target with ignored pixels on the right."""
    random = torch.Generator().manual_seed(1)
    planes = {"multiclass": 3, "multilabel": 2, "binary": 1}[task]
    logits = torch.randn(2, planes, side, side, generator=random)
    shape = (2, side, side) if task == "multiclass" else (2, planes, side, side)
    target = torch.randint(0, 3 if task == "multiclass" else 2, shape, generator=random, dtype=torch.uint8)
    target[..., -5:] = 255
    return logits, target


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_padded_pixels_change_nothing(task: str, name: str) -> None:
    """Neither their logits nor their number: the loss of the part that exists is the loss."""
    logits, target = example(task)
    loss = build_loss([LossTerm(name=name)], task=task)
    changed = logits.clone()
    changed[..., -5:] = 50
    alone = loss(logits[..., :-5], target[..., :-5])
    torch.testing.assert_close(loss(logits, target), alone)
    torch.testing.assert_close(loss(changed, target), alone)
    assert float(alone) > 0.05


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_padded_pixels_get_no_gradient_and_others_a_finite_one(task: str, name: str) -> None:
    logits, target = example(task)
    logits.requires_grad_()
    build_loss([LossTerm(name=name)], task=task)(logits, target).backward()
    assert logits.grad is not None
    assert (logits.grad[..., -5:] == 0).all()
    assert logits.grad.isfinite().all()
    assert (logits.grad[..., :-5] != 0).any()


def by_hand(name: str, logits: np.ndarray, target: np.ndarray) -> float:
    """A loss in double precision over the pixels that are kept: ``logits`` ``(n, classes)``, ``target`` the same of 0 and 1."""
    if name in ("cross_entropy", "bce", "focal"):
        surprise = -np.log(
            (logits * target).sum(1) if logits.shape[1] > 1 else np.where(target == 1, logits, 1 - logits)
        )
        weight = (1 - np.exp(-surprise)) ** 2 if name == "focal" else 1
        return float((weight * surprise).mean())
    if name == "lovasz":
        return lovasz_by_hand(logits, target)
    alpha, beta = {"dice": (0.5, 0.5)}.get(name, (0.3, 0.7))
    power = 0.5 if name == "focal_tversky" else 1
    tp, fp, fn = ((logits * target).sum(0), (logits * (1 - target)).sum(0), ((1 - logits) * target).sum(0))
    return float(((1 - tp / (tp + alpha * fp + beta * fn)) ** power * (target.sum(0) > 0)).mean())


def lovasz_by_hand(chances: np.ndarray, target: np.ndarray) -> float:
    """The integral of 1 − IoU over the level sets of the errors: of the chances, or of the hinge of one plane's logits."""
    parts = []
    for chance, truth in zip(chances.T, target.T, strict=True):
        if len(target.T) > 1:
            errors = np.abs(truth - chance)
        else:
            errors = np.maximum(1 - np.log(chance / (1 - chance)) * (2.0 * truth - 1), 0)
        levels = np.unique(np.concatenate([errors, [0]]))
        loss = 0.0
        for low, high in itertools.pairwise(levels):
            wrong = errors >= high
            found = (truth == 1) & ~wrong
            together = (truth == 1) | wrong
            loss += (high - low) * (1 - found.sum() / together.sum())
        if truth.any() or len(target.T) == 1:
            parts.append(loss)
    return float(np.mean(parts))


@pytest.mark.parametrize(("task", "name"), BY_PIXELS)
def test_scattered_ignored_pixels_leave_the_loss_of_the_kept_ones(task: str, name: str) -> None:
    logits, target = example(task)
    shape = target[:, :1].shape if target.ndim == 4 else target.shape
    ignored = torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.3
    target = torch.where(ignored, torch.tensor(255, dtype=torch.uint8), target)
    found = build_loss([LossTerm(name=name, gamma=2, alpha=0.3, beta=0.7)], task=task)(logits, target)
    if task == "multiclass":
        kept = (target != 255).numpy()
        chances = logits.double().softmax(1).permute(0, 2, 3, 1).numpy()[kept]
        expected = by_hand(name, chances, np.eye(3)[target.numpy()[kept]])
    else:
        parts = []
        for plane in range(target.shape[1]):
            kept = (target[:, plane] != 255).numpy()
            chances = logits[:, plane].double().sigmoid().numpy()[kept]
            parts.append(by_hand(name, chances[:, None], target[:, plane].numpy()[kept][:, None]))
        expected = sum(parts) / len(parts)  # the planes have equally many kept pixels
    assert float(found) == pytest.approx(expected, abs=1e-6)


WEIGHTED = [pair for pair in PAIRS if pair not in (("multiclass", "lovasz"), ("multiclass", "boundary"))]


@pytest.mark.parametrize(("task", "name"), WEIGHTED)
def test_class_weights_weigh_the_means_over_classes_or_pixels(task: str, name: str) -> None:
    """Of pixels by the class that is true there, of planes, and of classes as sets."""
    logits, target = example(task)
    weights = [0.5, 3.0, 2.0][: logits.shape[1]]
    found = build_loss([LossTerm(name=name, gamma=2, alpha=0.3, beta=0.7)], task=task, weights=weights)(logits, target)
    if name == "boundary":
        each = [alone(name, task, logits[:, [at]], target[:, [at]]) for at in range(len(weights))]
        expected = np.average(each, weights=weights)
    elif task == "multiclass":
        kept = (target != 255).numpy()
        chances = logits.double().softmax(1).permute(0, 2, 3, 1).numpy()[kept]
        truth = target.numpy()[kept]
        one_hot = np.eye(3)[truth]
        if name in ("cross_entropy", "focal"):
            parts = [by_hand(name, chances[truth == label], one_hot[truth == label]) for label in range(3)]
            expected = np.average(parts, weights=np.bincount(truth) * weights)
        else:  # the softmax of one class against the rest, as a plane of its own
            parts = [by_hand(name, chances[:, [at]], one_hot[:, [at]]) for at in range(3)]
            expected = np.average(parts, weights=weights)
    else:
        each = [alone(name, task, logits[:, [at]], target[:, [at]]) for at in range(len(weights))]
        expected = np.average(each, weights=weights)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def alone(name: str, task: str, logits: torch.Tensor, target: torch.Tensor) -> float:
    return float(build_loss([LossTerm(name=name, gamma=2, alpha=0.3, beta=0.7)], task=task)(logits, target))


@pytest.mark.parametrize(("task", "name"), WEIGHTED)
def test_the_scale_of_class_weights_does_not_matter(task: str, name: str) -> None:
    logits, target = example(task)
    plain, even, same = (
        build_loss([LossTerm(name=name)], task=task, weights=weights)(logits, target)
        for weights in (None, [7.0] * logits.shape[1], [1.0] * logits.shape[1])
    )
    torch.testing.assert_close(even, plain)
    torch.testing.assert_close(even, same)


def test_the_softmax_form_of_lovasz_takes_no_class_weights() -> None:
    with pytest.raises(ModelError, match="no class weights"):
        build_loss([LossTerm(name="lovasz")], task="multiclass", weights=[1.0, 2.0])


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_a_batch_of_nothing_but_ignored_pixels_has_no_loss_and_no_slope(task: str, name: str) -> None:
    logits, target = example(task)
    logits.requires_grad_()
    loss = build_loss([LossTerm(name=name)], task=task)(logits, torch.full_like(target, 255))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", ["cross_entropy", "lovasz", "focal", "dice"])
def test_such_a_batch_has_no_loss_either_where_a_class_is_unknown(name: str) -> None:
    logits, target = example("multiclass")
    logits.requires_grad_()
    unknown = torch.zeros(len(logits), logits.shape[1] - 1, dtype=torch.bool)
    unknown[:, 0] = True
    loss = build_loss([LossTerm(name=name)], task="multiclass")(logits, torch.full_like(target, 255), unknown)
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def partly(task: str, side: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three patches of three classes: all known, the second unknown, the first and third unknown."""
    random = torch.Generator().manual_seed(4)
    unknown = torch.tensor([[False, False, False], [False, True, False], [True, False, True]])
    logits = torch.randn(3, 4 if task == "multiclass" else 3, side, side, generator=random)
    if task == "multiclass":
        target = torch.randint(0, 4, (3, side, side), generator=random, dtype=torch.uint8)
        for patch, classes in enumerate(unknown):
            for label in classes.nonzero() + 1:
                target[patch][target[patch] == label] = 0
    else:
        target = torch.randint(0, 2, (3, 3, side, side), generator=random, dtype=torch.uint8)
        target[unknown] = 255
    target[..., -2:] = 255
    return logits, target, unknown


def marginal_by_hand(logits: torch.Tensor, unknown: torch.Tensor) -> np.ndarray:
    """Chances in which background has what the unknown classes have, and they have nothing; double precision."""
    chances = logits.double().softmax(1).numpy().copy()
    for patch, classes in enumerate(unknown.numpy()):
        for label in np.flatnonzero(classes) + 1:
            chances[patch, 0] += chances[patch, label]
            chances[patch, label] = 0
    return chances


@pytest.mark.parametrize("name", [name for name in FITTING["multiclass"] if name != "boundary"])
def test_background_and_unknown_classes_are_one_outcome(name: str) -> None:
    logits, target, unknown = partly("multiclass")
    loss = build_loss([LossTerm(name=name, gamma=2, alpha=0.3, beta=0.7)], task="multiclass")
    kept = (target != 255).numpy()
    chances = np.moveaxis(marginal_by_hand(logits, unknown), 1, 3)[kept]
    expected = by_hand(name, chances, np.eye(4)[target.numpy()[kept]])
    assert float(loss(logits, target, unknown)) == pytest.approx(expected, abs=1e-6)
    assert float(loss(logits, target)) != pytest.approx(expected, abs=1e-4)


def test_boundary_loss_leaves_unknown_classes_out() -> None:
    logits, target, unknown = partly("multiclass")
    loss = build_loss([LossTerm(name="boundary")], task="multiclass")
    changed = logits.clone()
    changed[1, 0], changed[1, 2] = logits[1, 2], logits[1, 0]  # background and an unknown class change places
    torch.testing.assert_close(loss(changed, target, unknown), loss(logits, target, unknown))
    chances = marginal_by_hand(logits, unknown)[:, 1:]
    total = 0.0
    for patch, label in itertools.product(range(3), range(3)):
        exists = (target[patch] != 255).numpy()
        truth = (target[patch] == label + 1).numpy()
        if truth.any():
            distance = np.where(
                truth,
                1 - ndimage.distance_transform_edt(~(exists & ~truth)),
                ndimage.distance_transform_edt(~truth),
            )
            total += (chances[patch, label] * distance)[exists].sum()
    expected = total / ((target != 255).sum().item() * 3)
    assert float(loss(logits, target, unknown)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", FITTING["multiclass"])
def test_an_unknown_class_is_pulled_like_background_never_away_from_it(name: str) -> None:
    """Of what is one outcome only the sum has a slope: logits share it as they share the sum."""
    logits, target, unknown = partly("multiclass")
    logits.requires_grad_()
    build_loss([LossTerm(name=name)], task="multiclass")(logits, target, unknown).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    members = logits.detach()[1][[0, 2]]
    slope = logits.grad[1][[0, 2]]
    torch.testing.assert_close(slope, members.softmax(dim=0) * slope.sum(dim=0), atol=1e-6, rtol=1e-4)
    assert (logits.grad[1][1] != 0).any()


@pytest.mark.parametrize("name", FITTING["multilabel"])
def test_the_plane_of_an_unknown_class_has_no_loss_and_no_slope(name: str) -> None:
    logits, target, unknown = partly("multilabel")
    loss = build_loss([LossTerm(name=name, gamma=2, alpha=0.3, beta=0.7)], task="multilabel")
    logits.requires_grad_()
    value = loss(logits, target, unknown)
    value.backward()
    assert logits.grad is not None
    assert (logits.grad[unknown] == 0).all()
    assert all((logits.grad[~unknown][at] != 0).any() for at in range(int((~unknown).sum())))
    changed = torch.where(unknown[:, :, None, None], 30.0, logits.detach())
    torch.testing.assert_close(loss(changed, target, unknown), value.detach())


def test_a_class_unknown_in_every_patch_leaves_the_mean_of_the_hinge_forms() -> None:
    logits, target, _ = partly("multilabel")
    target[:, 1] = 255
    found = build_loss([LossTerm(name="lovasz")], task="multilabel")(logits, target)
    others = build_loss([LossTerm(name="lovasz")], task="multilabel")(logits[:, [0, 2]], target[:, [0, 2]])
    torch.testing.assert_close(found, others)
    weighted = build_loss([LossTerm(name="lovasz")], task="multilabel", weights=[1.0, 5.0, 3.0])(logits, target)
    both = build_loss([LossTerm(name="lovasz")], task="multilabel", weights=[1.0, 3.0])
    torch.testing.assert_close(weighted, both(logits[:, [0, 2]], target[:, [0, 2]]))


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_where_every_class_is_known_the_loss_is_the_same_number(task: str, name: str) -> None:
    logits, target = example(task)
    loss = build_loss([LossTerm(name=name)], task=task)
    none = torch.zeros(2, 2 if task != "binary" else 1, dtype=torch.bool)
    assert float(loss(logits, target, none)) == float(loss(logits, target))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_is_that_of_its_definition(gamma: float) -> None:
    logits, target = example("multiclass")
    exists = target != 255
    truth = logits.softmax(dim=1).gather(1, (target * exists).long()[:, None])[:, 0][exists]
    expected = (-((1 - truth) ** gamma) * truth.log()).mean()
    found = build_loss([LossTerm(name="focal", gamma=gamma)], task="multiclass")(logits, target)
    torch.testing.assert_close(found, expected)


def test_sigmoid_focal_loss_is_that_of_its_definition() -> None:
    logits, target = example("multilabel")
    exists = target != 255
    p = logits.sigmoid()
    truth = torch.where(target == 1, p, 1 - p)[exists]
    found = build_loss([LossTerm(name="focal", gamma=1.5)], task="multilabel")(logits, target)
    torch.testing.assert_close(found, (-((1 - truth) ** 1.5) * truth.log()).mean())


def test_tversky_weighs_false_positives_by_alpha_and_false_negatives_by_beta() -> None:
    logits, target = example("binary")
    exists = target != 255
    p, t = logits.sigmoid()[exists], target[exists].float()
    tp, fp, fn = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
    found = build_loss([LossTerm(name="tversky", alpha=0.3, beta=0.7)], task="binary")(logits, target)
    torch.testing.assert_close(found, 1 - tp / (tp + 0.3 * fp + 0.7 * fn))


@pytest.mark.parametrize("task", ["multiclass", "binary"])
def test_boundary_loss_is_the_mean_of_chances_times_signed_distances(task: str) -> None:
    logits, target = example(task)
    target[0, ..., :4, :6] = 0
    exists = target != 255
    chances = logits.softmax(1)[:, 1:] if task == "multiclass" else logits.sigmoid()
    labels = (1, 2) if task == "multiclass" else (1,)
    total = 0.0
    for patch in range(len(target)):
        for at, label in enumerate(labels):
            truth = (target[patch].reshape(16, 16) == label).numpy()
            known = exists[patch].reshape(16, 16).numpy()
            outer, inner = (ndimage.distance_transform_edt(~mask) for mask in (truth, known & ~truth))
            signed = np.where(truth, 1 - inner, outer)
            total += float((chances[patch, at].numpy() * signed * known).sum())
    found = build_loss([LossTerm(name="boundary")], task=task)(logits, target)
    assert float(found) == pytest.approx(total / float(exists.sum() * len(labels)), abs=1e-5)


def test_a_class_without_truth_has_no_border() -> None:
    logits, target = example("binary")
    assert float(build_loss([LossTerm(name="boundary")], task="binary")(logits, target * (target == 255))) == 0


def test_terms_add_up_with_their_weights() -> None:
    logits, target = example("binary")
    parts = [build_loss([LossTerm(name=name)], task="binary")(logits, target) for name in ("tversky", "bce")]
    terms = [LossTerm(name="tversky", weight=0.6), LossTerm(name="bce", weight=0.4)]
    torch.testing.assert_close(build_loss(terms, task="binary")(logits, target), 0.6 * parts[0] + 0.4 * parts[1])


@pytest.mark.parametrize(("task", "name"), [("multiclass", "bce"), ("binary", "cross_entropy")])
def test_a_term_without_meaning_for_the_task_names_the_one_that_has(task: str, name: str) -> None:
    with pytest.raises(ModelError, match=r"Use (cross_entropy|bce) instead"):
        build_loss([LossTerm(name=name)], task=task)


def test_half_precision_logits_lose_nothing_more() -> None:
    logits, target = example("multiclass")
    half = logits.bfloat16()
    loss = build_loss([LossTerm(name="dice"), LossTerm(name="focal")], task="multiclass")
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(half, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(half.float(), target), rtol=0, atol=0)


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "binary"])
def test_one_batch_can_be_learned_by_heart(task: str) -> None:
    torch.manual_seed(0)
    classes = 1 if task == "binary" else 2
    network = build_network(
        ModelSettings(encoder="mobilenet_v2", encoder_weights="none"), classes=classes, task=task
    ).train()
    pixels = torch.randint(0, 60, (2, 3, 32, 32), dtype=torch.uint8)
    pixels[:, 0, 8:20, 8:20] += 150
    target = (pixels[:, 0] > 100).to(torch.uint8)
    if task != "multiclass":
        target = torch.stack([target, 1 - target], dim=1)[:, :classes]
    loss = build_loss([LossTerm(name="dice"), LossTerm(name="focal")], task=task)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    values = []
    for _ in range(12):
        optimizer.zero_grad()
        value = loss(network(pixels), target)
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert all(value == value for value in values)
    assert values[-1] < 0.6 * values[0]
