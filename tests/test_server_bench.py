"""What the benches of the server conclude from what they see; the benches themselves are run by hand."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile


@pytest.fixture(autouse=True)
def _benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))  # benches are not installed


@pytest.fixture
def page() -> ModuleType:
    from bench import server_page

    return server_page


def wav(samples: np.ndarray, rate: int = 8000, subtype: str = "PCM_24") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format="WAV")
    return file.getvalue()


def test_sounds_are_told_apart_by_their_samples_alone() -> None:
    from bench.server_client import sound_sha256

    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (100, 2))
    plain = wav(samples)
    commented = plain + b"LIST\x04\x00\x00\x00abcd"
    commented = commented[:4] + (len(commented) - 8).to_bytes(4, "little") + commented[8:]
    assert sound_sha256(plain) == sound_sha256(commented)
    shifted = samples.copy()
    shifted[50, 1] += 2**-22
    assert len({sound_sha256(wav(each)) for each in (samples, shifted, samples[:99], samples[:, :1])}) == 4
    assert sound_sha256(plain) != sound_sha256(wav(samples, 16000))


def test_a_bench_writes_its_own_section_and_no_other(page: ModuleType, tmp_path: Path) -> None:
    text = ""
    for name in reversed(page.SECTIONS):
        text = page.with_section(text, name, f"of {name}")
    again = page.with_section(text, page.SECTIONS[1], "new")
    assert [line for line in again.splitlines() if line] == [
        page.TITLE,
        *(
            line
            for name in page.SECTIONS
            for line in (f"## {name}", "new" if name == page.SECTIONS[1] else f"of {name}")
        ),
    ]


def test_findings_are_kept_with_their_counters(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from bench import results
    from bench.server_kills import Findings, Tally

    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    found = Findings(Tally(attempts=Counter({1: 5, 2: 1}), lost=["a"]), 6, [])
    page.put(tmp_path / "page.md", "Kills", "text", found)
    (kept,) = (tmp_path / "results").iterdir()
    assert json.loads(kept.read_text())["tally"]["attempts"] == {"1": 5, "2": 1}


def test_the_slope_is_of_the_second_half_of_the_time() -> None:
    from bench.server_soak import MemorySample, slope

    early = [MemorySample(float(n), n, 10**9 * n) for n in range(50)]  # caches fill
    late = [MemorySample(float(n), n, 10**9 + 2000 * n) for n in range(50, 101)]
    assert slope(early + late) == pytest.approx(2000)
    assert math.isnan(slope([MemorySample(float(n), 3, 5) for n in range(9)]))  # no job ended


def test_jobs_that_are_there_twice_are_seen() -> None:
    from bench.server_kills import Accepted, _doubled

    accepted = [Accepted(key, {}, job_id, {}) for key, job_id in (("a", "1"), ("b", "2"), ("c", "2"))]
    assert _doubled(accepted, ["1", "2"]) == ["2 has 2 keys"]
    assert _doubled(accepted[:2], ["1", "2", "3"]) == ["3 was not asked for"]
    assert _doubled(accepted[:2], ["1"]) == []  # what is lost is counted elsewhere


def test_a_client_that_asks_again_gives_up_only_when_its_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import server_kills

    def answers() -> Iterator[object]:
        yield ConnectionRefusedError()
        yield ConnectionResetError()
        yield "job"

    monkeypatch.setattr(server_kills, "ASK_AGAIN_SECONDS", 0.0)
    told = answers()

    def ask() -> object:
        answer = next(told)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert server_kills.insistently(ask) == "job"
    monkeypatch.setattr(server_kills, "PATIENCE_SECONDS", -1.0)
    told = answers()
    with pytest.raises(ConnectionRefusedError):
        server_kills.insistently(ask)


@pytest.mark.parametrize(
    ("status", "is_bad"),
    [(200, False), (422, False), (0, False), (503, False), (507, False), (500, True), (None, True)],
)
def test_what_is_bad_of_an_answer(status: int | None, is_bad: bool) -> None:
    from bench.server_fuzz_bodies import Answer

    assert Answer("kind", status, 1.0, "POST /").is_bad is is_bad


def test_a_file_that_took_a_worker_down_is_bad_even_if_it_was_done_then() -> None:
    from bench.server_fuzz_media import Outcome

    assert Outcome("kind", "a.wav", 0, "", attempts=2).is_bad
    assert not Outcome("kind", "a.wav", 422, "UnreadableAudio: damaged", attempts=1).is_bad


def test_the_fuzz_is_the_same_for_a_seed_and_tells_lies() -> None:
    from bench.server_fuzz_bodies import cases

    first, again, other = (list(cases(seed, 20)) for seed in (1, 1, 2))
    assert first == again and first != other
    told = {case.kind: case for case in first}
    lying = told["told longer than it is"]
    assert int(lying.head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) > len(lying.body)
    assert any(case.slowly for case in first)


def test_the_ratio_is_sound_for_cost() -> None:
    from bench.server_speech import Spoken, Throughput

    of = Throughput(1, [Spoken(10, 2, 1), Spoken(10, 2, 1)], [Spoken(10, 4, 2), Spoken(20, 4, 2)])
    assert of.ratio(lambda spoken: spoken.cpu_seconds) == pytest.approx(0.75)  # the median of a half and one
