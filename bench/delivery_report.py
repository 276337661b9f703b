"""Puts the findings about delivery into words and tables; every number is a measured one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import delivery_long, delivery_lossy, delivery_meters, delivery_null, delivery_soak
from bench.delivery_identity import Delivered, Job
from bench.delivery_long import Large
from bench.delivery_lossy import Lag
from bench.delivery_meters import Cost, Seconds
from bench.delivery_null import Null
from bench.delivery_readers import CHUNKS, Reading
from bench.delivery_soak import Soak
from bench.delivery_sources import MATERIAL_SECONDS
from bench.markdown import decibels, megabytes, seconds, table
from bench.measure import Measurement
from bench.metrics import CUTOFF_HZ
from bench.songs import Song
from separation.proof import SILENCE_DB


@dataclass(frozen=True)
class Findings:
    """All that was measured; `voice_is_recorded` tells a recording of the voice from our model's vocals."""

    song: Song
    voice_is_recorded: bool
    reel: Job
    surround: Job
    nulls: list[Null]
    lags: list[Lag]
    soak: Soak
    cost: Cost
    long_files: dict[str, Measurement]
    large: Large | None


def render(head: str, findings: Findings) -> str:
    """Returns the report in Markdown."""
    parts = [
        "# What stems keep of a delivered file",
        head,
        _reel(findings),
        _surround(findings),
        _others(),
        _nulls(findings.nulls),
        _lags(findings.lags),
        _soak(findings.soak),
        _cost(findings.cost),
    ]
    if findings.long_files:
        parts.append(_long_files(findings.long_files))
    if findings.large is not None:
        parts.append(_large(findings.large))
    return "\n\n".join(parts) + "\n"


def _reel(findings: Findings) -> str:
    job = findings.reel
    rows = [
        *_form(job),
        _sides("lag behind the source", "", job, lambda side: f"{side.lag_samples:,} samples"),
        *_metadata(job),
        _sides("source minus the sum of the stems, peak", "", job, lambda side: _depth(side.null_db)),
        _sides(f"sound above {CUTOFF_HZ} Hz in the sum", "100%", job, lambda side: f"{side.share_above_cutoff:.2%}"),
        *_effort(job),
    ]
    return (
        "## A Broadcast Wave file, by real Spleeter and by ours\n\n"
        f"The song {findings.song.label} ({findings.song.duration_seconds:.1f} s) as a 48 kHz, 24-bit file at half of "
        "full scale, with bext (version 2, with UMID and loudness), iXML, three markers with labels and a region, and "
        "LIST INFO. Each side by its own command line with its defaults. wavinfo finds the chunks of both stems and "
        "names the fields; a chunk is equal when all its bytes are. Of bext, the changed fields are those that a stem "
        "cannot share with its source; audio-ml keeps the source's UMID in its provenance. Where the stems' rate is "
        "another, the source is resampled to it for lag and difference: the loss of what lies above the lower rate is "
        "not counted. "
        f"Times and memory are of whole processes, in turn, medians of {job.n_runs}.\n\n" + _table(rows)
    )


def _surround(findings: Findings) -> str:
    job = findings.surround
    voice = "a recording of it alone" if findings.voice_is_recorded else "taken out by our own model"
    rows = [
        *_form(job),
        _sides("loudspeakers, as ffprobe names them", job.source.layout, job, lambda side: side.reading.layout),
        _sides("the voice in the vocals' centre, SDR", "", job, _voice),
        _sides("source minus the sum of the stems, peak", "", job, _surround_null),
        *_metadata(job),
        *_effort(job),
    ]
    return (
        "## 5.1 with the voice in the centre alone\n\n"
        f"The song's voice ({voice}) is in the centre and nowhere else; the rest of the song is in front, later and "
        "quieter behind, and below 120 Hz in the LFE. SDR is the voice's energy over that of what differs from it; "
        "0 dB is what silence has. Real Spleeter has no centre: its row takes the mean of both channels.\n\n"
        + _table(rows)
    )


def _form(job: Job) -> list[list[str]]:
    def form(name: str, say: Callable[[Reading], str]) -> list[str]:
        return [name, *(say(reading) for reading in (job.source, job.ours.reading, job.reference.reading))]

    return [
        form("sample rate", lambda reading: f"{reading.sample_rate:,} Hz"),
        form("bit depth", lambda reading: str(reading.bit_depth)),
        form("length", lambda r: f"{r.n_samples:,} samples, {r.n_samples / r.sample_rate:.6f} s"),
        form("channels", lambda reading: str(reading.n_channels)),
    ]


def _metadata(job: Job) -> list[list[str]]:
    readings = (job.source, job.ours.reading, job.reference.reading)
    rows = [["TimeReference", *(_times(reading) for reading in readings)]]
    return rows + [[name, "present", job.ours.chunks[name], job.reference.chunks[name]] for name in CHUNKS]


def _times(reading: Reading) -> str:
    by_value: dict[int | None, list[str]] = {}
    for reader, samples in reading.time_references.items():
        by_value.setdefault(samples, []).append(reader)
    return "; ".join(
        f"{'gone' if samples is None else f'{samples:,}'} ({', '.join(readers)})"
        for samples, readers in by_value.items()
    )


def _effort(job: Job) -> list[list[str]]:
    return [
        _sides("wall time", "", job, lambda side: seconds(side.measured.wall_seconds)),
        _sides("processor time", "", job, lambda side: seconds(side.measured.cpu_seconds)),
        _sides("peak memory", "", job, lambda side: megabytes(side.measured.peak_bytes)),
    ]


def _sides(name: str, source: str, job: Job, say: Callable[[Delivered], str]) -> list[str]:
    return [name, source, say(job.ours), say(job.reference)]


def _table(rows: list[list[str]]) -> str:
    return table(["", "source", "ours", "real Spleeter"], rows)


def _voice(side: Delivered) -> str:
    assert side.voice_db is not None
    return decibels(round(side.voice_db, 1) + 0.0)  # without minus zero


def _surround_null(side: Delivered) -> str:
    return _depth(side.null_db) + (" of its two channels" if side.reading.n_channels == 2 else "")


def _others() -> str:
    """The systems that could not be run here; what is said of audio-separator was read in its code."""
    rows = [
        ["demucs", "joins with the issue on models", "", "", "", ""],
        [
            "audio-separator (read in its code, not run: its weights cannot be had by package name)",
            "44.1 kHz; `--sample_rate` only resamples the output",
            "follows a 16, 24 or 32-bit integer source",
            "more than two: not handled",
            "bext, iXML and timecode dropped",
            "`--normalization 0.9` turns each stem down on its own when its peak is above 0.9",
        ],
    ]
    header = ["", "sample rate", "bit depth", "channels", "metadata", "adding up"]
    return "## Other systems\n\n" + table(header, rows)


def _nulls(nulls: list[Null]) -> str:
    rows = [
        [
            f"{null.sample_rate:,} Hz",
            null.bit_depth,
            _depth(null.float_source_db),
            _depth(null.same_depth_db),
            f"{delivery_null.TARGETS_DB[null.bit_depth]:.0f} dBFS",
            f"{null.share_above_cutoff:.2%}",
            str(null.n_clipped),
        ]
        for null in nulls
    ]
    header = ["sample rate", "bit depth", "float source", "source of that depth", "asked"]
    header += [f"sound above {CUTOFF_HZ} Hz", "clipped samples"]
    return (
        "## Stems that add up\n\n"
        f"Source minus the sum of the stems, both read back from their files: the peak over the whole band. The first "
        f"{MATERIAL_SECONDS} s of the song at each rate with white noise up to the Nyquist frequency, at half of full "
        "scale, by the real model. A float source is the hardest: integer stems have to round it, with dither.\n\n"
        + table(header, rows)
    )


def _lags(lags: list[Lag]) -> str:
    rows = [
        [
            lag.format,
            f"{lag.sample_rate:,} Hz",
            str(lag.lag_samples),
            f"{lag.lag_ms:.3f} ms",
            f"{lag.excess_samples:+,}",
        ]
        for lag in lags
    ]
    header = ["format", "rate of the file", "lag in samples of 48 kHz", "lag", "samples more than the source"]
    limit = delivery_lossy.LARGEST_LAG_MS
    return (
        "## Lossy formats\n\n"
        f"By how much a stem that FFmpeg decodes lags behind the same stem in WAV; at most {limit:.0f} ms is asked. "
        "The stem with the larger lag. Lengths are as decoded: a lossy file may end in a frame or two of silence, and "
        "none may be shorter.\n\n" + table(header, rows)
    )


def _soak(soak: Soak) -> str:
    first, last = soak.resident_bytes[delivery_soak.FIRST_JOB - 1], soak.resident_bytes[-1]
    return (
        "## A hundred jobs in one process\n\n"
        f"Files of {soak.seconds_of_sound:.0f} s, one loaded model. Resident memory was {megabytes(first)} after job "
        f"{delivery_soak.FIRST_JOB} and {megabytes(last)} after job {len(soak.resident_bytes)}. The least-squares "
        f"slope between them is **{soak.slope_bytes_per_job / 1e6:+.3f} MB per job**; less than "
        f"{delivery_soak.LARGEST_SLOPE_BYTES / 1e6:.1f} MB is asked."
    )


def _cost(cost: Cost) -> str:
    def row(name: str, spent: Seconds) -> list[str]:
        shares = (spent.wall / cost.separation.wall, spent.cpu / cost.separation.cpu)
        return [name, seconds(spent.wall), seconds(spent.cpu), *(f"{share:.1%}" for share in shares)]

    rows = [row(name, spent) for name, spent in {delivery_meters.SEPARATION: cost.separation, **cost.parts}.items()]
    share = cost.share
    return (
        "## What the report costs\n\n"
        f"{delivery_meters.MINUTES} minutes at 48 kHz and 24 bits, with a loaded model, and the meters alone over the "
        f"same sound; medians of {delivery_meters.N_RUNS}.\n\n"
        + table(["", "wall", "CPU", "of the separation's wall", "of its CPU"], rows)
        + f"\n\nThe basic report takes **{share.wall:.1%}** of the time and {share.cpu:.1%} of the processor's; at "
        f"most {delivery_meters.LARGEST_SHARE:.0%} is asked."
    )


def _long_files(long_files: dict[str, Measurement]) -> str:
    rows = [[name, seconds(run.wall_seconds), megabytes(run.peak_bytes)] for name, run in long_files.items()]
    shortest, *_, longest = long_files.values()
    return (
        "## Long files\n\n"
        "48 kHz, 24-bit stereo, the song repeated, whole processes.\n\n"
        + table(["length", "wall", "peak memory"], rows)
        + f"\n\nThe longest file took {longest.peak_bytes / shortest.peak_bytes - 1:+.1%} of memory; "
        f"{delivery_long.LARGEST_GROWTH:+.0%} and {megabytes(delivery_long.LARGEST_PEAK_BYTES)} are the most that is "
        "asked."
    )


def _large(large: Large) -> str:
    readings = {"source, written by FFmpeg": large.source, **large.stems}
    rows = [
        [
            name,
            reading.container,
            f"{reading.n_bytes:,}",
            f"{reading.n_samples:,}",
            f"{reading.n_samples_ffprobe:,}",
            f"{reading.n_channels} ({reading.layout})",
            _times(reading),
        ]
        for name, reading in readings.items()
    ]
    header = ["", "container", "bytes", "samples, libsndfile", "samples, ffprobe", "channels", "TimeReference"]
    return (
        "## More than 4 GiB\n\n"
        f"{delivery_long.RF64_LAYOUT} float at {delivery_long.RF64_RATE // 1000} kHz, "
        f"`{' '.join(delivery_long.RF64_OPTIONS)}`: the centre is separated, all else passes whole.\n\n"
        + table(header, rows)
        + f"\n\nIn the last {delivery_long.TAIL_SECONDS} s, which lie behind the fourth GiB, the source minus the "
        f"stems is at {_depth(large.null_db)}. It took {seconds(large.measured.wall_seconds)} and "
        f"{megabytes(large.measured.peak_bytes)} at its peak."
    )


def _depth(depth_db: float) -> str:
    return "exactly 0" if depth_db <= SILENCE_DB else f"{depth_db:.1f} dBFS"
