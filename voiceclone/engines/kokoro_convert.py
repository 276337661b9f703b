"""Speech in another voice, by Kokoro's decoder: what is said and how comes from a recording, the voice from a style.

Whisper's encoder hears the recording (Radford et al. 2022), maps of ours tell from that what Kokoro's text encoder
would have said to its decoder (`voiceclone.nets.content`), a book of phrases makes that crisp, the words that Whisper's
decoder writes among them, and pitch and energy follow the recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.nets import kokoro_files
from audio_ml.nets.kokoro_onnx import ENERGY, FEATURES, LAYER_OFFSETS, PITCH, WAVEFORM, check_offsets
from audio_ml.onnx_sessions import cpu_session
from audio_ml.options import Options
from audio_ml.pitch import Pitch
from audio_ml.sources import InstalledSource
from audio_ml.speaking import Speller
from audio_ml.torch_threads import use_threads
from voiceclone.content import WHISPER, Hearing, contour
from voiceclone.phrase_book import KnownWords, PhraseBook, TextEncoder
from voiceclone.words import VOCABULARY, WordHearing

SAMPLE_RATE = 24000
CONTENT_FILE, DECODER_FILE, PHRASES_FILE = "convert_content.safetensors", "decoder.onnx", "phrases.npy"
TEXT_ENCODER_FILE = "text_encoder.onnx"
CRISPNESS = (
    0.75  # share of the book in what is said; chosen on two speakers, with 16 word errors of 102 (0.5: 19, 0: 27)
)


class ConvertOptions(Options):
    """How speech is converted."""

    pitch: Literal["voice", "keep"] = Field(
        "voice", description="Whether the pitch goes to where the voice has it or stays; the melody stays either way."
    )
    semitones: float = Field(
        0.0, ge=-24, le=24, description="Moves the pitch further up or down.", json_schema_extra={"unit": "semitones"}
    )
    likeness: float = Field(
        1.0, ge=0, le=1, description="From a clean mix of the model's own voices (0) to the voice itself (1)."
    )


class KokoroConvertEngine:
    """Runs on the CPU, a piece at a time; safe to call from several threads at once."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        from audio_ml.state_dicts import load_strictly, read_state_dict
        from voiceclone.nets.content import ContentNetwork

        self._n_threads = device.cores
        self._hearing = Hearing(files[WHISPER.name])
        self._words = WordHearing(self._hearing.encoder, files[WHISPER.name], files[VOCABULARY.name])
        self._text_encoder = TextEncoder(files[TEXT_ENCODER_FILE])
        self._content = ContentNetwork()
        state = read_state_dict(files[CONTENT_FILE])
        book = {name: state.pop(name).numpy() for name in ("book.symbols", "book.expected", "book.white")}
        load_strictly(self._content, {name: tensor.float() for name, tensor in state.items()}, "conversion's maps")
        self._content.eval()
        self._book = PhraseBook(np.load(files[PHRASES_FILE], allow_pickle=False), *book.values())
        self._decoder = cpu_session(files[DECODER_FILE], n_threads=device.cores)

    def read(
        self, samples: Samples, pitch: Pitch, begin_frame: int, speller: Speller | None = None
    ) -> tuple[Samples, Samples, NDArray[np.bool_]]:
        """Tells what is said in speech [time] at 16 kHz: features [frames, 512], 40 a second, and in halves of frames
        energy [2 frames] and whether it is voiced [2 frames]. The pitch is of the whole, of which this is a part.
        Words are listened for where there is a speller for them."""
        import torch

        use_threads(self._n_threads)
        heard = self._hearing.hear(samples)
        given = (heard, contour(samples, pitch, len(heard), begin_frame))
        with torch.inference_mode():
            features, prosody = self._content(*(torch.from_numpy(part)[None] for part in given))
        energy, voicing = np.split(prosody[0].numpy(), 2, axis=1)
        said = features[0].numpy()
        nearest, is_known = self._book.nearest(said, None if speller is None else self._known(samples, speller))
        said += np.where(is_known, 1, CRISPNESS).astype(np.float32)[:, None] * (nearest - said)
        return said, energy.reshape(-1), voicing.reshape(-1) > 0

    def _known(self, samples: Samples, speller: Speller) -> KnownWords | None:
        words = self._words.hear(samples)
        use_threads(self._n_threads)
        return KnownWords.of(words, speller([word.text for word in words]), self._text_encoder)

    def speak(
        self, features: Samples, f0_hz: Samples, energy: Samples, style: Samples, layer_offsets: Samples | None
    ) -> Samples:
        """Returns sound [600 frames] at 24 kHz of features [frames, 512], pitch [2 frames], 0 where there is none, and
        energy [2 frames] in a style [256]; raises `InvalidInput` for `layer_offsets` of another network."""
        inputs = {
            FEATURES: np.ascontiguousarray(features.T)[None],
            PITCH: f0_hz[None],
            ENERGY: energy[None],
            "style": style[None],
        }
        if layer_offsets is not None:
            check_offsets(layer_offsets, self._decoder)
            inputs[LAYER_OFFSETS] = layer_offsets[None]
        sound: Samples = self._decoder.run([WAVEFORM], inputs)[0][0]
        return sound


CONVERT = ModelSpec(
    name="kokoro-convert",
    task="voiceclone",
    summary="Lends a voice to recorded speech: the same words at the same times.",
    licence=Licence("Apache-2.0", commercial=True),
    files=(
        WHISPER,
        VOCABULARY,
        kokoro_files.FLOAT32,
        WeightFile(
            CONTENT_FILE,
            6_121_500,
            "79903d18a7cb880ef8a7b5fad012138a1353e747273953abced639d48975f42f",
            (InstalledSource("voiceclone", f"weights/{CONTENT_FILE}"),),
        ),
    ),
    derived=(
        DerivedFile(DECODER_FILE, (kokoro_files.MODEL_FILE,), "audio_ml.nets.kokoro_onnx:build_decoder", "1"),
        DerivedFile(PHRASES_FILE, (CONTENT_FILE, kokoro_files.MODEL_FILE), "voiceclone.phrase_book:build", "1"),
        DerivedFile(TEXT_ENCODER_FILE, (kokoro_files.MODEL_FILE,), "voiceclone.phrase_book:build_encoder", "1"),
    ),
    files_shared_with=("kokoro",),
    outputs=("speech",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=1_300_000_000,
    verified="2026-11-26",
    options=ConvertOptions,
    engine=KokoroConvertEngine,
)

MODELS: list[Row] = [CONVERT]
