"""What the six sections of "From paper to product" say, whose idea each is, and where our code for it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """A section of the tour. `code` names functions of ours as "module:function"."""

    title: str
    paragraphs: tuple[str, ...]
    to_do: str
    papers: tuple[str, ...]
    code: tuple[str, ...]
    licence: str


LESSONS = (
    Lesson(
        title="What a spectrogram is",
        paragraphs=(
            "Sound is a pressure that goes up and down. Its picture, the wave, says when something happens, but hardly "
            "what. A spectrogram says which frequencies are there at which time: it cuts the sound into short pieces, "
            "the windows, and asks of each how much of every frequency it holds. Time goes to the right, frequency "
            "upwards, and what is bright is loud.",
            "How long should a window be? A long one tells near frequencies apart, but not when each began. A short "
            "one knows when, but not how high. You cannot have both; that is no fault of the computer but a law.",
        ),
        to_do="Choose a sound, move the slider, and look where lines get sharp and where they smear. Then hear what "
        "the picture alone keeps: the same loudness in every cell, the rest thrown away and made up.",
        papers=(
            "Gabor (1946), Theory of communication, Journal of the IEE 93",
            "Koenig, Dunn and Lacy (1946), The sound spectrograph, J. Acoust. Soc. Am. 18",
        ),
        code=(
            "ui/web/elements/learn-spectrum.js:spectra",
            "ui/web/elements/learn-spectrum.js:fromLevelsAlone",
            "voiceclone.mel:log_mel",
        ),
        licence="Code of this project: MIT. The sounds are made in your browser; a file of yours does not leave it.",
    ),
    Lesson(
        title="What a mask is: paint",
        paragraphs=(
            "Two sounds at once seldom use the same cell of a spectrogram at the same time. So they can be pulled "
            "apart by a mask: a number between 0 and 1 for each cell, by which the mixture is multiplied. 1 keeps the "
            "cell, 0 removes it. A separation model does no more than guess that mask.",
        ),
        to_do="Paint the mask yourself, and hear at once what it keeps.",
        papers=(
            "Wang (2005), On ideal binary mask as the computational goal of auditory scene analysis, in: Speech "
            "Separation by Humans and Machines",
            "Hennequin, Khlif, Voituret and Moussallam (2020), Spleeter: a fast and efficient music source separation "
            "tool with pre-trained models, Journal of Open Source Software 5",
        ),
        code=("separation.engines.spleeter:SpleeterEngine.separate",),
        licence="Code of this project: MIT. Spleeter's weights: MIT.",
    ),
    Lesson(
        title="Inside the network, layer by layer",
        paragraphs=(
            "How does a model guess the mask? Spleeter's network is a U-Net. On the way down, each layer looks at a "
            "larger piece of the spectrogram in less detail; on the way up, it gets the detail back from the layer of "
            "the same size on the way down. At the end stands one mask for each stem.",
        ),
        to_do="Open a sound of your own in section 2, or use the example, and look at what each layer answers to it.",
        papers=(
            "Jansson, Humphrey, Montecchio, Bittner, Kumar and Weyde (2017), Singing voice separation with deep U-Net "
            "convolutional networks, ISMIR",
            "Ronneberger, Fischer and Brox (2015), U-Net: convolutional networks for biomedical image segmentation, "
            "MICCAI",
        ),
        code=("separation.nets.spleeter_torch:TorchNetworks.masks",),
        licence="Code of this project: MIT. Spleeter's weights: MIT.",
    ),
    Lesson(
        title="From text to wave",
        paragraphs=(
            "Letters are not sounds: $5.50 is five words, and the ough of though, tough and through are three sounds. "
            "So a voice first writes out what it is going to say, then looks up the phonemes, the sounds of the "
            "language.",
            "Then the network says how long each phoneme lasts and how high the voice is, draws the spectrum, and from "
            "that comes the wave. All stages below are of one sentence and share one time axis.",
        ),
        to_do="Write a sentence with numbers and names. Click on a phoneme and hear it alone; with the arrow keys you "
        "walk from one to the next.",
        papers=(
            "Shen and others (2018), Natural TTS synthesis by conditioning WaveNet on mel spectrogram predictions, "
            "ICASSP (Tacotron 2)",
            "Ren and others (2021), FastSpeech 2: fast and high-quality end-to-end text to speech, ICLR (durations and "
            "pitch said by the network)",
            "Li, Han, Raghavan, Mischler and Mesgarani (2023), StyleTTS 2, NeurIPS, arXiv:2306.07691 (Kokoro's design)",
            "Nieradzik (2025), SwiftF0, arXiv:2508.18440 (the pitch in the picture)",
        ),
        code=(
            "tts.text.normalise:normalise",
            "tts.phonemes.pronounce:EnglishPronouncer",
            "tts.engines.hibari:HibariEngine.speak",
            "ui.learn.reading:read_aloud",
        ),
        licence="Code of this project: MIT. hibari and Kokoro: Apache-2.0. SwiftF0: MIT.",
    ),
    Lesson(
        title="What a speaker embedding is",
        paragraphs=(
            "Who speaks can be written down as a few hundred numbers, an embedding. A network listened to thousands of "
            "people and learnt to give recordings of one person numbers that point the same way, and those of two "
            "people numbers that do not. What is said should make no difference.",
            "No single number means anything; only the angle between two embeddings does. The similarity here is the "
            "mean of the cosines of two encoders, and its meaning comes from pairs of recordings of real people.",
        ),
        to_do="Let several voices say one sentence. Compare their numbers, find the two that are nearest, and ask "
        "yourself why: hibari learnt its voice from one of Kokoro's.",
        papers=(
            "Wan, Wang, Papir and Lopez Moreno (2018), Generalized end-to-end loss for speaker verification, ICASSP",
            "Wang and others (2023), CAM++: a fast and efficient network for speaker verification using context-aware "
            "masking, Interspeech",
            "Jia and others (2018), Transfer learning from speaker verification to multispeaker text-to-speech "
            "synthesis, NeurIPS",
        ),
        code=(
            "voiceclone.encoders:embeddings",
            "voiceclone.similarity:similarity",
            "voiceclone.view:map_voices",
            "ui.learn.voices:explain_voices",
        ),
        licence="Code of this project: MIT. The encoders GE2E (Resemblyzer) and CAM++: Apache-2.0.",
    ),
    Lesson(
        title="A short history of speech synthesis",
        paragraphs=(
            "Machines have spoken since 1939. Each way below makes your sentence on this computer, now: nothing of it "
            "is a recording of an old machine, all of it is the old idea in new code. Listen for what each of them "
            "could not do yet.",
        ),
        to_do="Write a short sentence, make it, and play the ways one after the other.",
        papers=("Klatt (1987), Review of text-to-speech conversion for English, J. Acoust. Soc. Am. 82",),
        code=("ui.learn.history:tell_history",),
        licence="Code of this project: MIT. hibari and Kokoro: Apache-2.0.",
    ),
)
