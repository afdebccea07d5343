"""Activations of the shipped networks: bytes a pixel of a batch while predicting and training, on a processor.

    python -m benchmarks.networks_memory

Each network runs in a process of its own. A first small batch loads what a library loads once; three batches of the
size that counts follow. The table goes to `pipeline.runtime.measured`.
"""

import json
import subprocess
import sys

import numpy as np

ENCODERS = ("efficientnet-b0", "tu-tf_efficientnet_lite0", "resnet34", "resnet50")
NETWORKS = ("unet", "unetplusplus", "deeplabv3plus", "fpn", "pspnet", "manet", "segformer", "upernet")
BATCHES = {"predicting": (4, 512), "training": (8, 256)}
"""Windows or patches of a batch, and their side."""
CLASSES, SMALL, REPEATS = 5, 64, 3


def measure(network: str, encoder: str, what: str) -> dict[str, float]:
    """Bytes a pixel of the larger batch beyond the smaller one, and MiB of the weights; in this process."""
    import torch

    from pipeline.config import ModelSettings
    from pipeline.model.network import build_network
    from pipeline.probability.predictor import NetworkPredictor
    from pipeline.runtime.allocator import keep_freed
    from pipeline.runtime.peak import peak_bytes

    keep_freed()
    torch.set_num_threads(2)
    built = build_network(
        ModelSettings(network=network, encoder=encoder, encoder_weights="none"), classes=CLASSES, task="multiclass"
    )
    rng = np.random.Generator(np.random.PCG64(0))
    optimiser = torch.optim.AdamW(built.parameters())
    predictor = NetworkPredictor(built, "multiclass", torch.device("cpu"), "float32")
    built.train(what == "training")

    def work(count: int, side: int) -> None:
        pixels = rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8)
        if what == "predicting":
            predictor(pixels)
            return
        optimiser.zero_grad()
        logits = built(torch.from_numpy(pixels)).float()
        truth = torch.zeros((count, side, side), dtype=torch.long)
        (torch.nn.functional.cross_entropy(logits, truth) + logits.softmax(1).mean()).backward()
        optimiser.step()

    work(2, SMALL)
    before, (count, side) = peak_bytes(), BATCHES[what]
    for _ in range(REPEATS):
        work(count, side)
    weights = sum(each.numel() * each.element_size() for each in built.parameters())
    return {"bytes_per_pixel": (peak_bytes() - before) / (count * side**2), "weights": weights / 2**20}


def main() -> None:
    """Print the table."""
    for network in NETWORKS:
        for encoder in ENCODERS:
            found = {}
            for what in BATCHES:
                command = [sys.executable, "-m", "benchmarks.networks_memory", network, encoder, what]
                found[what] = json.loads(subprocess.check_output(command))
            sizes = ", ".join(f"{found[what]['bytes_per_pixel']:.0f}" for what in BATCHES)
            print(f"({network!r}, {encoder!r}): ({sizes}, {found['training']['weights']:.0f}),")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
