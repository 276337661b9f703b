"""Runs the published watermark package; started by `bench.watermark` with the interpreter that has resemble-perth.

    python watermark_process.py FOLDER N

FOLDER holds 0-ours.wav, 0-plain.wav, ...; each plain one is marked as 0-peer.wav. It prints the decoder's numbers as
JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Marks and judges the files."""
    import perth
    import soundfile

    watermarker = perth.PerthImplicitWatermarker()
    told: dict[str, list[float]] = {"ours": [], "plain": []}
    folder = Path(sys.argv[1])
    for place in range(int(sys.argv[2])):
        for side, scores in told.items():
            samples, rate = soundfile.read(folder / f"{place}-{side}.wav", dtype="float32")
            scores.append(float(watermarker.get_watermark(samples, rate, round=False)))
        soundfile.write(folder / f"{place}-peer.wav", watermarker.apply_watermark(samples, rate), rate)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
