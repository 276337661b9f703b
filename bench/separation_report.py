"""Puts the findings about separation into words and tables; every number is a measured one."""

from __future__ import annotations

from dataclasses import dataclass

from bench.agreement import Agreement
from bench.markdown import decibels, megabytes, seconds, table
from bench.measure import Measurement, medians
from bench.metrics import CUTOFF_HZ
from bench.processes import Comparison
from bench.roofline import Roofline
from bench.songs import Song
from separation.spleeter_configuration import TWO_STEMS

PATCH_SECONDS = TWO_STEMS.frames * TWO_STEMS.hop / TWO_STEMS.sample_rate


@dataclass(frozen=True)
class Findings:
    """All that was measured; `first_run`, `long_files` and `roofline` are of the `longest` song."""

    comparisons: list[Comparison]
    longest: Song
    first_run: Measurement
    help_runs: list[Measurement]
    long_files: dict[str, Measurement]
    roofline: Roofline
    agreements: list[Agreement]


def render(head: str, findings: Findings) -> str:
    """Returns the report in Markdown."""
    parts = [
        "# Separation against real Spleeter",
        head,
        _speed(findings.comparisons),
        _single_runs(findings),
        _bound(findings),
        _agreement(findings.agreements),
    ]
    return "\n\n".join(parts) + "\n"


def _speed(comparisons: list[Comparison]) -> str:
    rows = []
    for compared in comparisons:
        theirs, ours = medians(compared.reference), medians(compared.ours)
        duration = compared.song.duration_seconds
        rows.append(
            [
                compared.song.label,
                f"{duration:.1f} s",
                seconds(theirs.wall_seconds),
                seconds(ours.wall_seconds),
                f"**{theirs.wall_seconds / ours.wall_seconds:.1f}**",
                f"{duration / ours.wall_seconds:.0f}",
                seconds(theirs.cpu_seconds),
                seconds(ours.cpu_seconds),
                megabytes(theirs.peak_bytes),
                megabytes(ours.peak_bytes),
            ]
        )
    n_runs = len(comparisons[0].ours)
    header = ["song", "length", "wall: Spleeter", "wall: ours", "times faster", "times real time (ours)"]
    header += ["CPU: Spleeter", "CPU: ours", "peak memory: Spleeter", "peak memory: ours"]
    return (
        "## Speed and memory\n\n"
        "Whole processes from a cold start, file in, two 16-bit WAV files out, real Spleeter and ours in turn; "
        f"medians of {n_runs}. CPU is user and system time of a process and its children. Peak memory is the largest "
        "of a process or of one of its children, so that helpers of real Spleeter that run beside it are not counted."
        "\n\n" + table(header, rows)
    )


def _single_runs(findings: Findings) -> str:
    """The measurements of ours that have no counterpart."""
    first = findings.first_run
    help_text = medians(findings.help_runs)
    rows = [
        [
            f"first run ever, {findings.longest.label}: weights fetched, network built",
            seconds(first.wall_seconds),
            megabytes(first.peak_bytes),
        ],
        [
            f"`audio-ml --help`, median of {len(findings.help_runs)}",
            seconds(help_text.wall_seconds),
            megabytes(help_text.peak_bytes),
        ],
    ]
    for label, measured in findings.long_files.items():
        name = f"a WAV file of {label}, {findings.longest.label} repeated"
        rows.append([name, seconds(measured.wall_seconds), megabytes(measured.peak_bytes)])
    text = "## Ours alone\n\n" + table(["", "wall", "peak memory"], rows)
    if findings.long_files:
        shortest, *_, longest = findings.long_files.values()
        text += f"\n\nThe longest file took {longest.peak_bytes / shortest.peak_bytes - 1:+.1%} of memory."
    return text


def _bound(findings: Findings) -> str:
    bound = findings.roofline
    whole = next(compared for compared in findings.comparisons if compared.song == findings.longest)
    wall = medians(whole.ours).wall_seconds
    rows = [
        [f"arithmetic of both networks on a patch of {PATCH_SECONDS:.1f} s", f"{bound.flop_per_patch / 1e9:.1f} GFLOP"],
        [f"patches in {findings.longest.label}", f"{bound.n_patches}, {bound.flop / 1e9:.0f} GFLOP"],
        ["bytes its layers read and write at least", f"{bound.bytes_per_patch / 1e6:.0f} MB"],
        [
            "copying memory, one core, and the networks' bytes at that rate",
            f"{bound.ceiling_bytes_per_second / 1e9:.1f} GB/s, {bound.floor_seconds_of_memory:.2f} s",
        ],
        ["float32 matrix product, all cores, the best", f"{bound.ceiling_flop_per_second / 1e9:.0f} GFLOP/s"],
        ["the networks at that rate", seconds(bound.floor_seconds)],
        ["the networks alone, as the engine runs them", seconds(bound.network_seconds)],
        ["the whole process", seconds(wall)],
    ]
    return (
        "## What bounds it\n\n"
        "The arithmetic is counted from the shapes of the layers, two for a multiplication and an addition.\n\n"
        + table(["", ""], rows)
        + f"\n\nThe networks take {bound.network_seconds / wall:.0%} of the whole process and reach "
        f"{bound.floor_seconds / bound.network_seconds:.0%} of the rate of the matrix product."
    )


def _agreement(agreements: list[Agreement]) -> str:
    if not agreements:
        return "## Agreement\n\nNo song was stereo at 44.1 kHz, which real Spleeter takes as it is."
    stems = list(agreements[0].stems_db)
    rows = [
        [
            found.song,
            *(decibels(found.stems_db[stem]) for stem in stems),
            decibels(found.null_reference_db),
            decibels(found.null_ours_db),
            f"{found.above_reference:.2%}",
            f"{found.above_ours:.2%}",
        ]
        for found in agreements
    ]
    header = ["song", *(f"exact mode, {stem}" for stem in stems), "null: Spleeter", "null: ours"]
    header += [f"above {CUTOFF_HZ} Hz: Spleeter", f"above {CUTOFF_HZ} Hz: ours"]
    return (
        "## Agreement\n\n"
        "Float samples in and out. Exact mode against real Spleeter's Python interface: energy of its stem over energy "
        "of the difference. Null: the peak, in dBFS, of the mixture minus the sum of the stems, ours in its default "
        f"mode. Last, the share of the mixture's energy above {CUTOFF_HZ} Hz that is in the stems' sum.\n\n"
        + table(header, rows)
    )
