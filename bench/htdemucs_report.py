"""Puts the findings about HTDemucs into words and tables; every number is a measured one."""

from __future__ import annotations

from dataclasses import dataclass

from bench.htdemucs_agreement import SCORED, Agreement
from bench.htdemucs_runs import OURS, OURS_EXACT, SEGMENT_SAMPLES, THEIRS, THEIRS_EXACT, Bound, Comparison
from bench.markdown import decibels, megabytes, seconds, table
from bench.measure import Measurement, medians

SAMPLE_RATE = 44100
SEGMENT_SECONDS = SEGMENT_SAMPLES / SAMPLE_RATE
TYPE_OF = {OURS: "bfloat16", OURS_EXACT: "float32"}  # whose products bound a side of ours
LOSS_ALLOWED_DB = 0.05
WANTED_DB, WANTED_EXACT_DB = 33.0, 60.0


@dataclass(frozen=True)
class Findings:
    """All that was measured; `load` is that of the machine at the end."""

    comparisons: list[Comparison]
    long_files: dict[str, dict[str, Measurement]]
    bound: Bound
    agreements: list[Agreement]
    versions: dict[str, str]
    load: float


def render(head: str, findings: Findings) -> str:
    """Returns the report in Markdown."""
    peer = ", ".join(f"{name} {number}" for name, number in findings.versions.items())
    parts = [
        "# HTDemucs against the package demucs",
        f"{head}\n| peer | {peer} |\n| load at the end | {findings.load:.2f} processes, mean of a minute |",
        _speed(findings.comparisons),
        _bound(findings.bound),
        _agreement(findings.agreements),
        _quality(findings.agreements),
    ]
    if findings.long_files:
        parts.append(_long(findings.long_files))
    return "\n\n".join(parts) + "\n"


def _speed(comparisons: list[Comparison]) -> str:
    rows = []
    for compared in comparisons:
        sides = {side: medians(runs) for side, runs in compared.runs.items()}
        for theirs, ours in ((THEIRS, OURS), (THEIRS_EXACT, OURS_EXACT)):
            peer, mine = sides[theirs], sides[ours]
            rows.append(
                [
                    f"{compared.song.label}, {ours} beside {theirs}",
                    f"{compared.song.duration_seconds:.1f} s",
                    seconds(peer.wall_seconds),
                    seconds(mine.wall_seconds),
                    f"**{peer.wall_seconds / mine.wall_seconds:.2f}**",
                    seconds(peer.cpu_seconds),
                    seconds(mine.cpu_seconds),
                    megabytes(peer.peak_bytes),
                    megabytes(mine.peak_bytes),
                ]
            )
    header = ["song", "length", "wall: demucs", "wall: ours", "times faster", "CPU: demucs", "CPU: ours"]
    header += ["peak memory: demucs", "peak memory: ours"]
    n_runs = len(comparisons[0].runs[OURS])
    return (
        "## Speed and memory\n\n"
        "Whole processes from a cold start on the same weights, file in, four stereo files out, all sides in turn; "
        f"medians of {n_runs}. demucs is run with `--shifts 0 --overlap 0.25 -d cpu`, our weights in its own format "
        "behind `--repo`. Ours is the default (stems that add up, 16 bit beside demucs' 16 bit); exact computes what "
        "demucs computes (`--precision full --residual none`, float files on both sides). CPU is user and system time."
        "\n\n" + table(header, rows)
    )


def _bound(bound: Bound) -> str:
    rows = []
    for side, took in bound.segment_seconds.items():
        share = ""
        if side in TYPE_OF:
            rate = bound.rates[TYPE_OF[side]]
            share = f"{bound.flop / rate / took:.0%} of {TYPE_OF[side]}'s rate"
        rows.append([side, seconds(took), f"{SEGMENT_SECONDS / took:.2f}", f"{bound.flop / took / 1e9:.0f}", share])
    rates = "; ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in bound.rates.items())
    floors = "; ".join(f"{name} {bound.flop / rate:.2f} s" for name, rate in bound.rates.items())
    return (
        "## What bounds it\n\n"
        f"One segment of {SEGMENT_SECONDS:.1f} s is {bound.flop / 1e9:.0f} GFLOP of convolutions and matrix products, "
        f"counted by torch on demucs' network. The best square matrix product on all cores: {rates}; a segment at that "
        f"rate: {floors}. Below, a segment with its transforms, warm, nothing else; medians in turn.\n\n"
        + table(["side", "a segment", "times real time", "GFLOP/s", "reaches"], rows)
    )


def _agreement(agreements: list[Agreement]) -> str:
    if not agreements:
        return "## Agreement\n\nNo song was stereo at 44.1 kHz, which demucs takes as it is."
    stems = list(agreements[0].auto_against_full_db)
    rows = []
    for found in agreements:
        rows.append(
            [found.song, "level under the mixture", *(f"{found.below_mixture_db[stem]:.1f} dB" for stem in stems)]
        )
        against = {f"{side}, against demucs": values for side, values in found.against_demucs_db.items()}
        against["ours, against ours exact"] = found.auto_against_full_db
        rows += [[found.song, label, *(decibels(values[stem]) for stem in stems)] for label, values in against.items()]
    exact = [(found, found.against_demucs_db[OURS_EXACT]) for found in agreements]
    default = [(found, found.auto_against_full_db) for found in agreements]
    return (
        "## Agreement\n\n"
        "Float samples in and out, nothing shared out (`--residual none`): energy of the stem over energy of the "
        "difference. demucs is its own `apply_model` in float32 with the normalisation of its `Separator`; demucs in "
        "bfloat16 is that under torch's autocast.\n\n"
        + table(["song", "side", *stems], rows)
        + f"\n\nExact agrees with demucs at {WANTED_EXACT_DB:.0f} dB or more{_but_for(exact, WANTED_EXACT_DB)}. "
        f"The default agrees with exact at {WANTED_DB:.0f} dB or more{_but_for(default, WANTED_DB)}."
    )


def _but_for(agreements: list[tuple[Agreement, dict[str, float]]], wanted_db: float) -> str:
    """Names the stems that do not reach what is wanted, and how loud they are."""
    short = [
        f"{found.song}, {stem} ({value:.1f} dB; itself {found.below_mixture_db[stem]:.0f} dB under the mixture)"
        for found, values in agreements
        for stem, value in values.items()
        if value < wanted_db
    ]
    return f" but for {'; '.join(short)}" if short else ""


def _quality(agreements: list[Agreement]) -> str:
    known = [found for found in agreements if found.sdr_db]
    if not known:
        return "## Quality\n\nNo song had true stems beside it."
    stems = [name for name in SCORED if all(name in found.sdr_db[OURS] for found in known)]
    rows, losses = [], []
    for found in known:
        rows += [
            [found.song, side, *(f"{values[stem]:.3f}" for stem in stems)] for side, values in found.sdr_db.items()
        ]
        exact, ours = found.sdr_db[OURS_EXACT], found.sdr_db[OURS]
        losses += [exact[stem] - ours[stem] for stem in stems]
    verdict = "within" if max(losses) <= LOSS_ALLOWED_DB else "beyond"
    return (
        "## Quality\n\n"
        "SDR in dB over the whole file: energy of the true stem over energy of the difference. The accompaniment is "
        "the mixture minus the vocals, on both sides; where there is no true bass, other is other and bass.\n\n"
        + table(["song", "side", *stems], rows)
        + f"\n\nThe default loses {max(losses):.3f} dB to exact at most, {verdict} the {LOSS_ALLOWED_DB} dB allowed."
    )


def _long(long_files: dict[str, dict[str, Measurement]]) -> str:
    rows = [
        [label, *(text for side in (THEIRS, OURS) for text in _one(measured.get(side)))]
        for label, measured in long_files.items()
    ]
    header = ["length", "wall: demucs", "peak memory: demucs", "wall: ours", "peak memory: ours"]
    return "## Long files\n\nThe first song, repeated, once on each side, both to 16 bit.\n\n" + table(header, rows)


def _one(measured: Measurement | None) -> tuple[str, str]:
    return (seconds(measured.wall_seconds), megabytes(measured.peak_bytes)) if measured else ("", "")
