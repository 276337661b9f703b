"""The history of speech synthesis in seven steps: who, when, what the idea was, and what is still heard of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Era:
    """A way to make a machine speak. `code` names functions of ours as "module:function"."""

    id: str
    year: str
    title: str
    people: str
    idea: str
    here: str
    today: str
    papers: tuple[str, ...]
    code: tuple[str, ...]
    licence: str


OURS = "Code of this project: MIT."

ERAS = (
    Era(
        id="vocoder",
        year="1939",
        title="The vocoder",
        people="Homer Dudley, Bell Telephone Laboratories",
        idea="Speech is a source and a filter. Measure how loud a few bands of it are, throw the rest away, and let "
        "those levels shape a buzz or a hiss.",
        here="Twenty bands of the neural voice below, on a buzz of one pitch (110 Hz) and a hiss.",
        today="The robot voice of songs; the idea of source and filter in every speech coder and in most vocoders.",
        papers=("Dudley (1939), Remaking speech, J. Acoust. Soc. Am. 11",),
        code=("ui.learn.vocoder:channel_vocoder",),
        licence=OURS,
    ),
    Era(
        id="formant",
        year="1980",
        title="Formant synthesis",
        people="Walter Lawrence and Gunnar Fant in the 1950s; Dennis Klatt at MIT, whose voices became DECtalk",
        idea="No recording at all: tables say where the resonances of the mouth lie for each sound, "
        "and rules move them.",
        here="A buzz through five resonators in a row, hisses through others beside them, told what to do by a "
        "table of vowels that was measured in 1952, and by a few rules.",
        today="Screen readers that are listened to very fast, on tiny chips, in languages that nobody has recorded: "
        "eSpeak NG. Stephen Hawking kept such a voice until he died.",
        papers=(
            "Klatt (1980), Software for a cascade/parallel formant synthesizer, J. Acoust. Soc. Am. 67",
            "Peterson and Barney (1952), Control methods used in a study of the vowels, J. Acoust. Soc. Am. 24",
        ),
        code=("ui.learn.formant:plan", "ui.learn.formant:track_of", "ui.learn.formant:resonate"),
        licence=OURS + " The phonemes come from hibari's dictionaries (Apache-2.0).",
    ),
    Era(
        id="griffin_lim",
        year="1984",
        title="A wave from a spectrogram",
        people="Daniel Griffin and Jae Lim, MIT",
        idea="A spectrogram says how loud each frequency is, not where in its swing it stands. Guess that, look at "
        "the spectrogram of the result, correct, and repeat.",
        here="Only the mel spectrogram of the neural voice is kept: 80 numbers every 12.5 ms. From them, in 32 "
        "rounds, a wave.",
        today="The first neural systems (Tacotron, 2017) ended in it; neural vocoders replaced it. The hollow, watery "
        "sound is what a wrong phase sounds like.",
        papers=(
            "Griffin and Lim (1984), Signal estimation from modified short-time Fourier transform, IEEE Trans. ASSP 32",
        ),
        code=("ui.learn.vocoder:griffin_lim",),
        licence=OURS,
    ),
    Era(
        id="concatenation",
        year="1996",
        title="Pieces of recordings",
        people="Andrew Hunt and Alan Black at ATR in Japan; before them those who joined diphones",
        idea="Record somebody for hours, cut the sounds out, and for a new sentence find the pieces that fit best and "
        "join best.",
        here="A voice of this suite reads out {n_sentences} sentences ({minutes:.0f} minutes). The halves of their "
        "sounds are the pieces: {n_units} of them make your sentence, in {n_runs} stretches.",
        today="The announcements of railways and the first navigation systems; clear, until a piece is missing.",
        papers=(
            "Hunt and Black (1996), Unit selection in a concatenative speech synthesis system using a large speech "
            "database, ICASSP",
            "Moulines and Charpentier (1990), Pitch-synchronous waveform processing techniques for text-to-speech "
            "synthesis using diphones, Speech Communication 9",
        ),
        code=("ui.learn.concatenation:concatenate",),
        licence=OURS + " The recordings are hibari's (Apache-2.0).",
    ),
    Era(
        id="statistical",
        year="2000",
        title="Averages: statistical synthesis",
        people="Keiichi Tokuda and others, Nagoya Institute of Technology",
        idea="Do not keep the recordings, keep what they are like on average: a few states a sound, each with a mean "
        "and a spread, and from them the smoothest path that is likely.",
        here="Means of the same recordings, three states a sound, the path of highest likelihood, made audible by "
        "pulses and noise. Real systems counted more finely, with decision trees.",
        today="Small, and able to speak in anyone's manner; muffled, because an average is. Neural systems replaced it "
        "from 2016 on and kept its order: text, then features, then vocoder.",
        papers=(
            "Tokuda, Yoshimura, Masuko, Kobayashi and Kitamura (2000), Speech parameter generation algorithms for "
            "HMM-based speech synthesis, ICASSP",
        ),
        code=("ui.learn.statistical:average_speech", "ui.learn.statistical:smooth_path"),
        licence=OURS + " The recordings are hibari's (Apache-2.0).",
    ),
    Era(
        id="hibari",
        year="since 2016",
        title="Neural, small: hibari",
        people="WaveNet came from DeepMind in 2016; this is a small model that learnt from one voice of a larger one",
        idea="Let a network learn all of it from recordings: durations, melody, spectrum, and the wave.",
        here="One network of 8 MB that predicts durations and a spectrum in parts (harmonics, noise, phases), from "
        "which ordinary signal processing makes the wave.",
        today="Voices that run on any processor, as here.",
        papers=(
            "van den Oord and others (2016), WaveNet: a generative model for raw audio, arXiv:1609.03499",
            "Shen and others (2018), Natural TTS synthesis by conditioning WaveNet on mel spectrogram "
            "predictions, ICASSP",
        ),
        code=("tts.engines.hibari:HibariEngine.speak",),
        licence="hibari: Apache-2.0.",
    ),
    Era(
        id="kokoro",
        year="2024",
        title="Neural, larger: Kokoro",
        people="Kokoro-82M, after StyleTTS 2 of Yinghao Aaron Li and others at Columbia University",
        idea="Style, the manner of a voice, is a vector of its own; networks that judge "
        "speech taught it to sound real.",
        here="Kokoro with 82 million parameters, the voice from which hibari's learnt.",
        today="What open models sound like today.",
        papers=(
            "Li, Han, Raghavan, Mischler and Mesgarani (2023), StyleTTS 2: towards human-level text-to-speech through "
            "style diffusion and adversarial training with large speech language models, NeurIPS, arXiv:2306.07691",
        ),
        code=("tts.engines.kokoro:KokoroEngine.speak",),
        licence="Kokoro: Apache-2.0.",
    ),
)
