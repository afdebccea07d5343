"""Training step, validation step and end of an epoch: the parts that lightning's loop calls.

All random numbers of an epoch follow from its seed. Everything else that the next epoch depends on is in the
checkpoint: weights, optimizer, learning rate, history, best weights. So an interrupted run ends with the same weights.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from pipeline.arrays.metrics import Counts
from pipeline.config import ModelSettings
from pipeline.config.manifest import Task
from pipeline.errors import ModelError
from pipeline.model.loss import build_loss
from pipeline.model.network import ScaledNetwork
from pipeline.model.operators import prepare_torchvision
from pipeline.model.progress import Pace, shown_number
from pipeline.model.recipe import Length, cosine_factor, group_factor, moving_average
from pipeline.model.scores import PatchMean, PooledCounts, PooledHistograms, mean_known, selection_score
from pipeline.seeds import derived_seed

prepare_torchvision()  # Lightning imports it.
import lightning  # noqa: E402

__all__ = ["Best", "Training"]

log = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Images, targets, epochs and unknown classes; see `pipeline.model.patches.Sample`."""


@dataclass(frozen=True, slots=True)
class Best:
    """Best epoch: the one whose weights are kept."""

    epoch: int
    """From 1."""
    score: float
    """Its validation score; NaN without validation patches."""
    weights: dict[str, Tensor]
    """State of the network, on the CPU."""


class Training(lightning.LightningModule):
    """Training module: network, loss, optimizer, validation, and the best epoch so far."""

    def __init__(
        self,
        network: ScaledNetwork,
        *,
        settings: ModelSettings,
        codes: tuple[str, ...],
        lesions: tuple[str, ...],
        task: Task,
        address: tuple[int, str],
        selects: bool,
        length: Length,
        weights: Mapping[str, float],
    ) -> None:
        """Prepare training.

        Parameters
        ----------
        network
            The network, trained in place.
        settings
            Loss, optimizer, selection.
        codes
            Class codes in manifest order.
        lesions
            Codes of lesion classes.
        task
            Meaning of the logits.
        address
            Seed and name of the model.
        selects
            Whether validation can choose the best epoch; the last one is taken otherwise.
        length
            Epochs and steps.
        weights
            Weight of each output in the loss; empty for equal ones.
        """
        super().__init__()
        self.network, self.settings, self.codes, self.lesions = network, settings, codes, lesions
        self.loss = build_loss(settings.loss, task=task, weights=tuple(weights.values()) or None)
        self.address, self.selects, self.length = address, selects, length
        self.average = moving_average(network, decay=settings.average_decay) if settings.average_decay else None
        if self.average is not None:
            self.average.requires_grad_(False)  # Several processes would wait for its gradients.
        self.counts, self.histograms = PooledCounts(len(codes), task=task), PooledHistograms(len(codes), task=task)
        self.history: list[dict[str, float]] = []
        self.best: Best | None = None
        self._train_loss, self._validation_loss = PatchMean(), PatchMean()
        self._pace = Pace(steps=length.steps)
        self._plateau: ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] | None = None
        self.train()

    def configure_optimizers(self) -> Any:  # noqa: ANN401 what lightning takes
        """AdamW; the learning rate follows a cosine, or falls when the score stays on a plateau."""
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        if settings.schedule == "cosine":
            factor = partial(cosine_factor, steps=self.length.steps, warmup_share=settings.warmup_share)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
            }
        self._plateau = ReduceLROnPlateau(
            optimizer, mode="max", factor=settings.plateau_factor, patience=settings.plateau_patience
        )
        if self._plateau_state is not None:
            self._plateau.load_state_dict(self._plateau_state)
        return optimizer

    def on_train_start(self) -> None:
        """Time, counted from here."""
        self._pace.begin(self.trainer.global_step)

    def shown(self, step: int) -> dict[str, str]:
        """Numbers beside the bar: mean loss of the epoch so far, Dice of the previous epoch, time left in the training."""
        dice = self.history[-1]["mean_dice"] if self.history else math.nan
        return {"loss": shown_number(self._train_loss.value), "Dice": shown_number(dice), "left": self._pace.left(step)}

    def on_train_epoch_start(self) -> None:
        """Random numbers of dropout and of dropped connections, addressed by the epoch."""
        seed, name = self.address
        torch.manual_seed(derived_seed(seed, "model", name, "torch", self.current_epoch))

    def training_step(self, batch: Batch, at: int) -> Tensor:
        """Loss of a batch, given its number in the epoch."""
        pixels, target, epochs, unknown = batch
        assert bool((epochs == self.current_epoch).all()), "the loader is at another epoch than the loop"
        loss: Tensor = self.loss(self.network(pixels), target, unknown)
        value = float(loss.detach())
        if not math.isfinite(value):
            self._diverged(value)
        self._train_loss.add(value, len(pixels))
        of = {"batches": int(self.trainer.num_training_batches), "accumulate": self.settings.accumulate}
        return self._share(loss, len(pixels)) * group_factor(at, **of)

    def _share(self, loss: Tensor, patches: int) -> Tensor:
        """Loss whose mean over the processes is the mean over all patches; parts of a batch may differ by one patch."""
        if self.trainer.world_size == 1:
            return loss
        return loss * (patches * self.trainer.world_size / self._added(torch.tensor(patches)).item())  # type: ignore[no-any-return]

    def _added(self, value: Tensor) -> Tensor:
        """Sum over the processes."""
        if self.trainer.world_size == 1:
            return value
        total: Tensor = self.trainer.strategy.reduce(value.to(self.device), reduce_op="sum").cpu()
        return total

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 torch's signature
        """Training mode; batch normalisation layers with frozen statistics stay in inference mode."""
        super().train(mode)
        if self.settings.batch_statistics == "frozen":
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    @property
    def judged(self) -> ScaledNetwork:
        """Network that is validated and kept: the moving average where there is one."""
        return self.network if self.average is None else cast("ScaledNetwork", self.average.module)

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 lightning's signature
        """Step of the optimizer, then of the moving average."""
        super().optimizer_step(*arguments, **options)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def on_train_batch_end(self, *_arguments: Any) -> None:  # noqa: ANN401 lightning's signature
        """End of the training after its last step, even in the middle of an epoch; validation follows."""
        if self.trainer.global_step >= self.length.steps:
            self.trainer.should_stop = True

    def _diverged(self, value: float) -> None:
        raise ModelError(
            "Training diverged.",
            where=f"model {self.address[1]}, epoch {self.current_epoch + 1}",
            found=f"loss {value}",
            expected="a finite loss",
            remedy="Lower learning_rate, or train with precision float32.",
        )

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss and counts of a batch."""
        pixels, target, _epochs, unknown = batch
        logits = self.judged(pixels)
        self._validation_loss.add(float(self.loss(logits, target, unknown)), len(pixels))
        self.counts.update(logits, target, unknown)
        self.histograms.update(logits, target, unknown)

    def on_train_epoch_end(self) -> None:
        """End of an epoch: a row of history, the best weights, the learning rate (validation has run before)."""
        row = self._row(self.counts.per_class() if self._validation_loss.patches else [Counts()] * len(self.codes))
        self.counts.reset()
        self.histograms.reset()
        self.history.append(row)
        self._keep_best(row["score"])
        if self.selects and self._plateau is not None and not math.isnan(row["score"]):
            self._plateau.step(row["score"])
        if self.trainer.is_global_zero:
            self._tell(row)
        if self._waited_enough():
            self.trainer.should_stop = True

    def _waited_enough(self) -> bool:
        patience = self.settings.patience
        return self.selects and patience is not None and len(self.history) - self._best_epoch() >= patience

    def _best_epoch(self) -> int:
        return self.best.epoch if self.best is not None else 0

    @property
    def is_finished(self) -> bool:
        """End of the training: all epochs are done, or the score has not improved for long enough."""
        return len(self.history) >= self.length.epochs or self._waited_enough()

    def _row(self, counts: list[Counts]) -> dict[str, float]:
        named = [
            (code, count if count.tp + count.fn else Counts()) for code, count in zip(self.codes, counts, strict=True)
        ]
        dice, both = (selection_score(counts, measure=measure) for measure in ("dice", "dice_and_miou"))
        aupr = dict(zip(self.codes, self.histograms.per_class(), strict=True))
        everywhere = dict(zip(self.codes, self.histograms.everywhere(), strict=True))
        scores = {"dice": dice, "dice_miou": both, "lesion_aupr": mean_known(aupr[code] for code in self.lesions)}
        return {
            "epoch": self.current_epoch + 1,
            "train_loss": self._train_loss.take(self._added),
            "validation_loss": self._validation_loss.take(self._added),
            "learning_rate": self.optimizers().param_groups[0]["lr"],
            "score": scores[self.settings.select_by],
            "mean_dice": dice,
            "mean_iou": 2 * both - dice,
            "mean_lesion_aupr": scores["lesion_aupr"],
            **{f"dice_{code}": count.dice for code, count in named},
            **{f"iou_{code}": count.iou for code, count in named},
            **{f"aupr_{code}": value for code, value in aupr.items()},
            "mean_everywhere_dice": mean_known(everywhere.values()),
            **{f"everywhere_dice_{code}": value for code, value in everywhere.items()},
        }

    def _keep_best(self, score: float) -> None:
        scoreless = self.best is not None and self.best.score == -math.inf and math.isnan(score)
        if self.selects and self.best is not None and not (score > self.best.score or scoreless):
            return
        weights = {key: value.detach().cpu().contiguous().clone() for key, value in self.judged.state_dict().items()}
        # An epoch without a score ranks below any with one, but above an earlier one without.
        self.best = Best(self.current_epoch + 1, -math.inf if self.selects and math.isnan(score) else score, weights)

    def _tell(self, row: Mapping[str, float]) -> None:
        log.info(
            "epoch %d/%d: train loss %.4f, validation loss %.4f, mean Dice %.4f, mIoU %.4f, lesion AUPR %.4f,"
            " learning rate %.2g, waited %.1f s for data, left %s",
            row["epoch"],
            self.length.epochs,
            row["train_loss"],
            row["validation_loss"],
            row["mean_dice"],
            row["mean_iou"],
            row["mean_lesion_aupr"],
            row["learning_rate"],
            self.trainer.train_dataloader.waited(),
            self._pace.left(self.trainer.global_step),
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Addition of the state that lightning does not know."""
        assert self.best is not None
        checkpoint["lesionmap"] = {
            "history": self.history,
            "best": [self.best.epoch, self.best.score, self.best.weights],
            "plateau": None if self._plateau is None else self._plateau.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restoration of the state that lightning does not know."""
        state = checkpoint["lesionmap"]
        self.history = list(state["history"])
        self.best = Best(*state["best"])
        self._plateau_state = state["plateau"]
