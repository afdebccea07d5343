"""Training as a whole: the door."""

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.arrays.metrics import Counts
from pipeline.config import Augmentation, LossTerm, ModelSettings
from pipeline.errors import ModelError, PipelineError
from pipeline.model.card import read_card
from pipeline.model.checkpoint import load_model
from pipeline.model.loss import WeightedLoss
from pipeline.model.module import Training
from pipeline.model.network import build_network, probabilities
from pipeline.normalized.stain.record import REFERENCE, Estimate
from pipeline.seeds import derived_seed
from pipeline.stores import write_table
from pipeline.stores.documents import json_text
from pipeline.stores.provenance import file_digest
from pipeline.words import partial_path
from tests.model.malformed import MALFORMED


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "weights.pt", weights_only=True)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_training_writes_weights_card_and_history_and_nothing_else(trained: tuple) -> None:
    tiny, folder = trained
    assert sorted(path.name for path in folder.iterdir()) == [
        *["card.json", "history.csv", "history.parquet", "progress.png", "weights.pt"]
    ]
    history = pd.read_parquet(folder / "history.parquet")
    assert history["epoch"].tolist() == [1, 2]
    expected = ["epoch", "train_loss", "validation_loss", "learning_rate", "score", "mean_dice", "mean_iou"]
    expected += ["mean_lesion_aupr", "dice_MA", "dice_OD", "iou_MA", "iou_OD", "aupr_MA", "aupr_OD"]
    expected += ["mean_everywhere_dice", "everywhere_dice_MA", "everywhere_dice_OD"]
    assert list(history.columns) == expected
    assert np.isfinite(history[["train_loss", "validation_loss", "score"]].to_numpy()).all()
    card = read_card(folder)
    best = history.loc[history["score"].idxmax()]
    assert card.best_epoch == best["epoch"]
    assert card.metrics["score"] == best["score"]
    assert 0 < card.metrics["mean_everywhere_dice"] < 1
    assert card.rows == {"training": 8, "validation": 4}
    assert card.normalisation == {"chain": "fundus"}
    assert (card.record, card.stain_target) == (tiny.record, None)
    assert str(tiny.root) not in (folder / "card.json").read_text()


def test_the_card_repeats_the_stain_target_to_the_last_bit(bench, quick: ModelSettings, tmp_path: Path) -> None:
    target = {**REFERENCE.to_json(), "from": "shipped reference"}
    (tmp_path / "target.json").write_text(json_text({**target, "provenance": {"stage": "normalized"}}))
    folder = bench().train("stained", settings=quick, target=tmp_path / "target.json")
    assert read_card(folder).stain_target == target
    assert Estimate.from_json(read_card(folder).stain_target) == REFERENCE


def test_weights_move_away_from_where_the_seed_put_them(trained: tuple, quick: ModelSettings) -> None:
    final = weights(trained[1])
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(3, "model", "net", "weights"))
        start = build_network(quick, classes=2, task="multiclass").state_dict()
    assert final.keys() == start.keys()
    learned = [key for key in final if key.endswith(".weight")]
    assert all(not torch.equal(final[key], start[key]) for key in learned)
    assert max(float((final[key] - start[key]).abs().max()) for key in learned) < 0.5, "not the start of this seed"


def test_same_seed_gives_the_same_bytes_whatever_the_global_state(trained: tuple, quick: ModelSettings) -> None:
    tiny, once = trained
    torch.manual_seed(99)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    assert content(tiny.train("twice", settings=quick)) == content(once)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("seeds", [{"seed": 4}, {"seed": 3, "own": 1}])
def test_another_seed_gives_other_weights(trained: tuple, quick: ModelSettings, seeds: dict[str, int]) -> None:
    tiny, once = trained
    settings = quick.model_copy(update={"seed": seeds.get("own", 0), "epochs": 1})
    other = tiny.train(f"other{seeds}", settings=settings, seed=seeds["seed"])
    assert not same(weights(once), weights(other))


class Killed(Exception):
    """Stands for the end of the process."""


def interrupt_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    original = Training.training_step

    def step(self: Training, batch: object, at: int) -> torch.Tensor:
        if self.current_epoch == epochs and at == 1:
            raise Killed
        return original(self, batch, at)

    monkeypatch.setattr(Training, "training_step", step)


LONG = ModelSettings(
    encoder="efficientnet-b0",
    encoder_weights="none",
    moving_crops=0.0,
    augmentation=Augmentation(),
    schedule="plateau",
    average_decay=0.0,
    select_by="dice_miou",
    epochs=4,
    batch_size=3,
    patches_per_epoch=5,
    threads=1,
    device="cpu",
    plateau_patience=0,
    plateau_factor=0.1,
)


def fake_scores(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    original = Training._row

    def row(self: Training, counts: list[Counts]) -> dict[str, float]:
        return {**original(self, counts), "score": scores[self.current_epoch]}

    monkeypatch.setattr(Training, "_row", row)


@pytest.mark.parametrize("readers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(
    bench: Callable, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    """Dropped connections, batch statistics, the fallen learning rate, the best epoch: all of it must come back."""
    tiny = bench()
    settings = LONG.model_copy(update={"readers": readers})
    fake_scores(monkeypatch, 0.5, 0.4, 0.45, 0.3)
    undisturbed = tiny.train("undisturbed", settings=settings)
    with monkeypatch.context() as patched:
        interrupt_after(patched, 2)
        with pytest.raises(Killed):
            tiny.train("killed", settings=settings)
    killed = tiny.root / "killed" / "tiny" / "model" / "net"
    assert not killed.exists()
    assert len(list(partial_path(killed).glob("last.*.ckpt"))) == 1
    so_far = pd.read_csv(partial_path(killed) / "history.csv")
    pd.testing.assert_frame_equal(so_far, pd.read_parquet(undisturbed / "history.parquet").head(2), check_dtype=False)
    assert (partial_path(killed) / "progress.png").read_bytes().startswith(b"\x89PNG")
    steps: list[int] = []
    original = Training.training_step
    monkeypatch.setattr(
        Training, "training_step", lambda self, *a: steps.append(self.current_epoch) or original(self, *a)
    )
    assert content(tiny.train("killed", settings=settings)) == content(undisturbed)
    assert sorted(set(steps)) == [2, 3]
    assert read_card(undisturbed).best_epoch == 1
    rates = pd.read_parquet(undisturbed / "history.parquet")["learning_rate"]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-4, 1e-5])


def test_a_training_that_sigterm_ends_says_so_and_is_no_success(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    class Stopped:
        def fit(self, *arguments: object, **options: object) -> None:
            raise SIGTERMException  # as Lightning does between two batches; its exit status is 0

    monkeypatch.setattr("pipeline.model.train.build_trainer", lambda *arguments, **options: Stopped())
    with pytest.raises(SystemExit) as stopped:
        bench().train("stopped", settings=quick)
    assert stopped.value.code == 143
    assert "finished epochs are kept" in caplog.text


def test_a_training_killed_before_renaming_trains_no_epoch_again(
    trained: tuple, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, finished = trained
    again = tiny.root / "again" / "tiny" / "model" / "net"
    partial = partial_path(again)
    shutil.copytree(finished, partial)
    (partial / "last.0.ckpt").touch()
    partial.with_name("net.digest").write_text(tiny.origin(quick).digest)
    monkeypatch.setattr(Training, "training_step", lambda *_: pytest.fail("an epoch was trained again"))
    assert content(tiny.train("again", settings=quick)) == content(finished)


def test_other_settings_discard_what_a_killed_run_left(
    trained: tuple, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, finished = trained
    with monkeypatch.context() as patched:
        interrupt_after(patched, 1)
        with pytest.raises(Killed):
            tiny.train("left", settings=quick.model_copy(update={"learning_rate": 1e-4}))
    assert content(tiny.train("left", settings=quick)) == content(finished)


def test_best_epoch_is_kept_even_when_later_ones_are_worse(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = bench()
    seen = []
    fake_scores(monkeypatch, 0.1, math.nan, 0.7, 0.3)
    keep = Training._keep_best

    def watch(self: Training, score: float) -> None:
        seen.append({key: value.clone() for key, value in self.network.state_dict().items()})
        keep(self, score)

    monkeypatch.setattr(Training, "_keep_best", watch)
    folder = tiny.train("out", settings=quick.model_copy(update={"epochs": 4}))
    assert read_card(folder).best_epoch == 3
    assert same(weights(folder), seen[2])


def test_without_any_score_the_last_epoch_is_taken_and_the_card_says_so(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_scores(monkeypatch, math.nan, math.nan)
    card = read_card(bench().train("out", settings=quick.model_copy(update={"epochs": 2})))
    assert (card.best_epoch, card.selected_by) == (2, "last epoch")
    assert any("no epoch had a score" in each for each in card.warnings)


def test_without_validation_patches_the_last_epoch_is_taken_and_the_card_says_so(
    bench: Callable, quick: ModelSettings
) -> None:
    folder = bench(splits=("train",)).train("out", settings=quick)
    card = read_card(folder)
    assert card.best_epoch == 2
    assert card.selected_by == "last epoch"
    assert "no validation patches" in card.warnings[0]
    assert card.metrics["score"] is None
    assert pd.read_parquet(folder / "history.parquet")["validation_loss"].isna().all()


def test_the_epoch_of_the_best_lesion_aupr_can_be_kept_and_the_disc_does_not_count(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = bench()
    classes = [
        each.model_copy(update={"kind": "anatomy"}) if each.code == "OD" else each for each in tiny.record.classes
    ]
    tiny = dataclasses.replace(tiny, record=tiny.record.model_copy(update={"classes": tuple(classes)}))
    shown = iter([[0.4, 0.9], [0.6, 0.1], [0.5, 0.99]])
    monkeypatch.setattr("pipeline.model.scores.PooledHistograms.per_class", lambda _self: next(shown))
    folder = tiny.train("out", settings=quick.model_copy(update={"epochs": 3, "select_by": "lesion_aupr"}))
    card = read_card(folder)
    assert (card.best_epoch, card.metrics["score"], card.metrics["aupr_OD"]) == (2, 0.6, 0.1)
    assert card.selected_by.startswith("mean average precision over the lesion classes")


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_a_class_that_nobody_looked_for_in_an_image_has_no_part_in_its_loss_nor_scores(
    bench: Callable, quick: ModelSettings, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, seen = bench(task), []
    partly = tiny.frame["image_id"].isin(["image_1", "image_2"])
    table = tiny.frame.assign(pixels_OD=tiny.frame["pixels_OD"].mask(partly, -1))
    write_table(table, tiny.index, provenance={})
    plain = WeightedLoss.forward
    monkeypatch.setattr(WeightedLoss, "forward", lambda *given: seen.append(given[3]) or plain(*given))
    history = pd.read_parquet(tiny.train("out", settings=quick.model_copy(update={"epochs": 1})) / "history.parquet")
    assert history[["dice_OD", "aupr_OD"]].isna().all(axis=None)
    assert history[["dice_MA", "aupr_MA", "train_loss"]].notna().all(axis=None)
    unknown = torch.cat(seen)
    assert not unknown[:, 0].any()
    assert unknown[:, 1].sum() == partly.sum()


def test_a_loss_that_is_not_finite_names_the_epoch_and_the_remedy(
    bench: Callable, quick: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = bench()
    monkeypatch.setattr("pipeline.model.loss.WeightedLoss.forward", lambda self, logits, *_: logits.sum() * np.nan)
    with pytest.raises(ModelError, match=r"(?s)diverged.*epoch 1.*learning_rate"):
        tiny.train("out", settings=quick)


@pytest.mark.parametrize(("task", "codes"), [("multilabel", ("MA", "HE", "EX", "SE", "OD")), ("binary", ("LESION",))])
def test_other_tasks_train_and_come_back(
    bench: Callable, quick: ModelSettings, task: str, codes: tuple[str, ...]
) -> None:
    tiny = bench(task=task, codes=codes)
    terms = (LossTerm(name="tversky", weight=0.6), LossTerm(name="bce", weight=0.4))
    update = {"loss": terms, "epochs": 1, "augmentation": Augmentation(kind="histology"), "precision": "bfloat16"}
    folder = tiny.train("out", settings=quick.model_copy(update=update))
    network, card = load_model(folder, device="cpu", codes=codes, channels=3)
    with torch.inference_mode():
        found = probabilities(network(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)), card.task)
    assert found.shape == (1, len(codes), 64, 64)


@pytest.mark.slow  # six epochs; one batch is learned by heart in the quick tests of the loss
def test_training_learns_squares_that_anyone_sees(bench: Callable, quick: ModelSettings) -> None:
    folder = bench().train("out", settings=quick.model_copy(update={"epochs": 6}))
    losses = pd.read_parquet(folder / "history.parquet")["train_loss"]
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]


def test_a_patch_side_that_cannot_be_halved_names_the_nearest_that_can(bench: Callable, quick: ModelSettings) -> None:
    with pytest.raises(ModelError, match="Use 96 or 128"):
        bench().train("out", settings=quick, patch=100)


def test_images_without_a_store_are_named(bench: Callable, quick: ModelSettings) -> None:
    tiny = bench()
    with pytest.raises(ModelError, match="image_1"):
        tiny.train("out", settings=quick, normalized={"image_0": tiny.stores["image_0"]})


def test_single_patches_are_refused_for_deeplab(bench: Callable, quick: ModelSettings) -> None:
    with pytest.raises(ModelError, match="single patches"):
        bench().train("out", settings=quick.model_copy(update={"network": "deeplabv3plus", "batch_size": 1}))


def test_a_model_is_refused_for_other_classes_or_channels_or_weights(trained: tuple, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    shutil.copytree(trained[1], folder)
    with pytest.raises(ModelError, match="other classes"):
        load_model(folder, device="cpu", codes=("OD", "MA"))
    with pytest.raises(ModelError, match="other channels"):
        load_model(folder, device="cpu", channels=1)
    (folder / "weights.pt").write_bytes((folder / "weights.pt").read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder, device="cpu")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json_text({**card, "schema_version": 2}))
    with pytest.raises(ModelError, match="schema_version"):
        load_model(folder, device="cpu")
    with pytest.raises(ModelError, match="no trained model"):
        load_model(folder / "nowhere", device="cpu")


def test_encoder_weights_come_from_a_file_and_the_card_keeps_its_digest_not_its_path(
    trained: tuple, quick: ModelSettings
) -> None:
    tiny, first = trained
    update = {"epochs": 1, "learning_rate": 1e-12, "encoder_weights": str(first / "weights.pt")}
    given = quick.model_copy(update=update)
    second = tiny.train("second", settings=given)
    key = "body.encoder.features.18.0.weight"
    assert torch.allclose(weights(second)[key], weights(first)[key], atol=1e-6)
    card = read_card(second)
    assert card.settings.encoder_weights == "file"
    assert card.encoder_digest
    with pytest.raises(ModelError, match="another encoder"):
        build_network(given.model_copy(update={"encoder": "resnet34"}), classes=2, task="multiclass")


@pytest.mark.parametrize("wrong", ["a pickle in an archive", "a list", "empty"])
def test_malformed_weights_of_a_model_are_one_message_even_where_the_card_knows_them(
    trained: tuple, tmp_path: Path, wrong: str
) -> None:
    folder, (write, found) = tmp_path / "net", MALFORMED[wrong]
    shutil.copytree(trained[1], folder)
    (folder / "weights.pt").write_bytes(write(weights(folder), tmp_path / "executed"))
    with pytest.raises(ModelError, match=r"cannot be loaded[\s\S]*of digest"):
        load_model(folder, device="cpu")
    card = json.loads((folder / "card.json").read_text())
    card["files"]["weights.pt"] = file_digest(folder / "weights.pt")
    (folder / "card.json").write_text(json_text(card))
    with pytest.raises(ModelError, match="cannot be loaded") as problem:
        load_model(folder, device="cpu")
    assert found in str(problem.value)
    assert not (tmp_path / "executed").exists()


def test_a_card_of_a_network_far_larger_than_its_weights_is_refused_before_it_is_built(
    trained: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, places = tmp_path / "net", list[str]()
    shutil.copytree(trained[1], folder)
    card = json.loads((folder / "card.json").read_text())
    card["settings"]["encoder"] = "resnet50"
    (folder / "card.json").write_text(json_text(card))
    monkeypatch.setattr("pipeline.model.checkpoint.HARMLESS", 0)
    plain = build_network

    def watched(*given: object, **named: object) -> object:
        places.append(torch.empty(0).device.type)
        return plain(*given, **named)

    monkeypatch.setattr("pipeline.model.checkpoint.build_network", watched)
    with pytest.raises(ModelError, match=r"far larger network[\s\S]*resnet50"):
        load_model(folder, device="cpu")
    assert places == ["meta"]
    places.clear()
    load_model(trained[1], device="cpu")
    assert places == ["meta", "cpu"]


@pytest.mark.parametrize("content", [b"", b"text", b"[]", b"\x80\x04K\x03.", b'{"a": 1}', b"\xff\xfe"])
def test_a_malformed_card_is_one_message(trained: tuple, tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "net"
    shutil.copytree(trained[1], folder)
    (folder / "card.json").write_bytes(content)
    with pytest.raises(PipelineError, match=r"card\.json"):
        load_model(folder, device="cpu")
    with pytest.raises(PipelineError, match="cannot be read"):
        load_model(folder / "weights.pt", device="cpu")


def test_a_card_whose_encoder_lies_on_a_hub_or_in_a_folder_is_refused(trained: tuple, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    shutil.copytree(trained[1], folder)
    card = json.loads((folder / "card.json").read_text())
    card["settings"]["encoder"] = "tu-hf-hub:somebody/network"
    (folder / "card.json").write_text(json_text(card))
    with pytest.raises(ModelError, match=r"settings\.encoder.*hf-hub:somebody/network is a place"):
        load_model(folder, device="cpu")


def test_the_card_of_another_model_is_refused(trained: tuple, quick: ModelSettings, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    shutil.copytree(trained[1], folder)
    card = json.loads((folder / "card.json").read_text())
    card["settings"]["network"] = "fpn"
    (folder / "card.json").write_text(json_text(card))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder, device="cpu")
