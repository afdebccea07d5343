"""Encoder weights from a state-dict file, of an encoder alone or of a whole network."""

from pathlib import Path

from torch import Tensor, nn

from pipeline.errors import ModelError
from pipeline.model.scaling import Scaling, scaling_of_buffers
from pipeline.model.state_file import read_state

__all__ = ["load_encoder_file"]


def load_encoder_file(encoder: nn.Module, path: Path, *, need: int, digest: str | None = None) -> Scaling | None:
    """Input scaling stored in the file, whose weights are loaded; None for a file of only an encoder.

    Parameters
    ----------
    encoder
        Encoder of segmentation_models_pytorch; loaded in place.
    path
        State dict (``.pt``, ``.pth``, ``.safetensors``) of this encoder, or of a network with it, such as the
        ``weights.pt`` of a trained model.
    need
        Bytes of the weights of the whole network; a file of more than twice as many is not read.
    digest
        SHA-256 of the file, where it was recorded.

    Raises
    ------
    ModelError
        The file is missing, malformed, too large, or holds another encoder.
    """
    state, scaling = _encoder_state(path, need=need, digest=digest)
    missing = [key for key in encoder.state_dict() if key not in state]
    if missing:
        raise ModelError(
            "The file holds weights of another encoder.",
            where=path,
            found=f"no {missing[0]}",
            expected=f"{len(encoder.state_dict())} tensors of this encoder, {len(missing)} are missing",
            remedy="Check encoder and encoder_weights; they belong together.",
        )
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            "The weights of the encoder do not fit.",
            where=path,
            found=str(error).splitlines()[-1].strip(),
            expected="tensors of the same shapes",
            remedy="Check encoder and encoder_weights.",
        ) from error
    return scaling


def _encoder_state(path: Path, *, need: int, digest: str | None) -> tuple[dict[str, Tensor], Scaling | None]:
    # Weights of a whole network, such as those from this package, hold the encoder's under a prefix.
    if not path.is_file():
        raise ModelError(
            "Encoder weights are missing.",
            where="model.models.*.encoder_weights",
            found=path,
            expected="none, package, imagenet, or a state-dict file (.pt, .pth, .safetensors)",
            remedy="Correct the path: it is relative to the working folder.",
        )
    state = read_state(
        path,
        need=need,
        digest=digest,
        expected=f"a state dict of this encoder, or of a network that has it{f', of digest {digest}' if digest else ''}",
        remedy="Give a file of torch.save(network.state_dict(), …) or of safetensors.",
    )
    for prefix in ("body.encoder.", "encoder."):
        below = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if below:
            own = prefix == "body.encoder." and {"mean", "std"} <= state.keys()
            return below, scaling_of_buffers(state["mean"], state["std"]) if own else None
    return state, None
