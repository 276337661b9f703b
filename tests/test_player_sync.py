"""Whether tracks play in step: what the player tells the audio thread, rendered by a real browser and counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import needs_chromium
from listening import ListeningServer, listening, stem_report, write_sparse
from signals import noise

from audio_ml.writer import write_audio

pytestmark = [pytest.mark.browser, needs_chromium]
sync_api = pytest.importorskip("playwright.sync_api")

RATE = 44100
STEMS = ("vocals", "drums")
TWO_HOURS = 7200 * RATE
AT_1_59 = 7140 * RATE  # where a chunk begins
CLICKS = (0, 3, 441_000 - 1, 441_000, 441_007, 882_000, AT_1_59 - 2, AT_1_59, AT_1_59 + 5, TWO_HOURS - 1)

# Plays from a sample with an engine in a context that renders offline, each track on a channel of its own, and
# returns where the two sound, in samples since the first frame, with the levels.
RENDER = """async ([urls, begin, seconds, rate, total]) => {
  const { Engine } = await import('/player/engine.js');
  const { fetchPiece } = await import('/player/sound.js');
  const context = new OfflineAudioContext(2, Math.round((seconds + 0.2) * rate), rate);
  const tracks = urls.map((url) => (start, n, signal) => fetchPiece(url, start, n, signal));
  const engine = new Engine(context, tracks, total);
  const merger = new ChannelMergerNode(context, { numberOfInputs: 2 });
  engine.outputs.forEach((output, i) => { output.disconnect(); output.connect(merger, 0, i); });
  merger.connect(context.destination);
  const placed = [];
  engine.addEventListener('placed', (event) => placed.push(event.detail));
  engine.seek(begin);
  let most = 0;
  const step = async () => { await engine.feed(); most = Math.max(most, engine.nChunks); context.resume(); };
  await engine.play();
  for (let at = 4; at < seconds; at += 4) context.suspend(at).then(step);
  const sound = await context.startRendering();
  const first = placed[0].frame;
  const found = [0, 1].map((c) => {
    const samples = sound.getChannelData(c);
    const heard = [];
    for (let i = 0; i < samples.length; i++) if (samples[i]) heard.push([i - first, samples[i]]);
    return heard;
  });
  return { found, most, frames: placed.map(({ frame, piece }) => [frame - first, piece.start, piece.n]) };
}"""

# How many samples differ between what an engine plays and the file, over chunks and their borders.
COMPARE = """async ([url, seconds, rate]) => {
  const { Engine } = await import('/player/engine.js');
  const { fetchPiece } = await import('/player/sound.js');
  const total = seconds * rate;
  const context = new OfflineAudioContext(2, total + rate, rate);
  const engine = new Engine(context, [(start, n, signal) => fetchPiece(url, start, n, signal)], total);
  let first = null;
  engine.addEventListener('placed', (event) => { first ??= event.detail.frame; });
  await engine.play();
  const step = async () => { await engine.feed(); context.resume(); };
  for (let at = 8; at < seconds; at += 8) context.suspend(at).then(step);
  const sound = await context.startRendering();
  const file = await fetchPiece(url, 0, total);
  let n = 0;
  for (const c of [0, 1]) {
    const heard = sound.getChannelData(c);
    for (let i = 0; i < total; i++) n += heard[first + i] !== file[c][i];
  }
  return n;
}"""

# The same with tracks that are made here: 720 chunks at the lowest rate that a context has.
TWO_HOURS_IN_ONE_GO = """async () => {
  const { Engine } = await import('/player/engine.js');
  const rate = 3000, total = 7200 * rate;
  const clicks = [0, 29999, 30000, 7140 * rate - 1, 7140 * rate, total - 1];
  const context = new OfflineAudioContext(2, total + rate, rate);
  const fetch = async (start, n) => {
    const samples = new Float32Array(n);
    for (const click of clicks) if (click >= start && click < start + n) samples[click - start] = 0.5;
    return [samples];
  };
  const engine = new Engine(context, [fetch, fetch], total);
  const merger = new ChannelMergerNode(context, { numberOfInputs: 2 });
  engine.outputs.forEach((output, i) => { output.disconnect(); output.connect(merger, 0, i); });
  merger.connect(context.destination);
  let first = null, n = 0, most = 0;
  engine.addEventListener('placed', (event) => { first ??= event.detail.frame; n += 1; });
  await engine.play();
  const step = async () => { await engine.feed(); most = Math.max(most, engine.nChunks); context.resume(); };
  for (let at = 5; at < 7200; at += 10) context.suspend(at).then(step);
  const sound = await context.startRendering();
  const found = [0, 1].map((c) => {
    const samples = sound.getChannelData(c), heard = [];
    for (let i = 0; i < samples.length; i++) if (samples[i] === 0.5) heard.push(i - first);
    return heard;
  });
  return { found, most, n };
}"""

# Clicks at 0, 3000 and 9000; samples 6000 to 12000 are repeated, so that the last is heard again 6000 later.
LOOP = """async () => {
  const { Engine } = await import('/player/engine.js');
  const rate = 3000, clicks = [0, 3000, 9000];
  const context = new OfflineAudioContext(1, 6 * rate, rate);
  const fetch = async (start, n) => {
    const samples = new Float32Array(n);
    for (const click of clicks) if (click >= start && click < start + n) samples[click - start] = 0.5;
    return [samples];
  };
  const engine = new Engine(context, [fetch], 20 * rate);
  engine.loop = { begin: 6000, end: 12000 };
  let first = null;
  engine.addEventListener('placed', (event) => { first ??= event.detail.frame; });
  await engine.play();
  for (const at of [1, 3, 4, 5]) context.suspend(at).then(async () => { await engine.feed(); context.resume(); });
  const samples = (await context.startRendering()).getChannelData(0);
  const heard = [];
  for (let i = 0; i < samples.length; i++) if (samples[i]) heard.push(i - first);
  return heard;
}"""

# Courses of any length, chunk and loop: every sample once, in order, within its chunk.
COURSES = """async () => {
  const { pieceAt, chunkLength, positionAt } = await import('/player/schedule.js');
  const any = (n) => Math.floor(Math.random() * n);
  const wrong = [];
  for (let i = 0; i < 2000; i++) {
    const total = 1 + any(5000), chunkSamples = 1 + any(700);
    const begin = any(total), end = begin + 1 + any(total - begin);
    const course = { total, chunkSamples, loop: any(2) ? { begin, end } : null };
    let position = any(total), frame = 0, piece;
    const placed = [];
    const heard = [], wanted = [];
    for (let at = position; wanted.length < 3000 && at < total; ) {
      wanted.push(at);
      at = course.loop && at + 1 === end ? begin : at + 1;
    }
    while (heard.length < wanted.length && (piece = pieceAt(position, course))) {
      const within = piece.n > 0 && piece.offset + piece.n <= chunkLength(piece.chunk, course);
      if (!within || piece.chunk * chunkSamples + piece.offset !== piece.start) wrong.push({ course, piece });
      placed.push({ frame, piece });
      for (let k = 0; k < piece.n; k++) heard.push(piece.start + k);
      frame += piece.n;
      position = piece.next;
    }
    const same = wanted.every((sample, at) => heard[at] === sample);
    const told = positionAt(Math.min(7, frame - 1), placed) === heard[Math.min(7, frame - 1)];
    if (!same || !told) wrong.push(course);
  }
  return wrong.slice(0, 3);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListeningServer]:
    with listening(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def reel(server: ListeningServer) -> str:
    """Two hours of silence with the same clicks in both stems."""

    def fill(folder: Path) -> None:
        (folder / "reel").mkdir()
        for stem in STEMS:
            write_sparse(folder / "reel" / f"{stem}.wav", RATE, TWO_HOURS, CLICKS)

    return server.publish(fill, stem_report(dict.fromkeys(STEMS, -40.0), RATE, TWO_HOURS, "reel"))


@pytest.fixture(scope="module")
def song(server: ListeningServer) -> str:
    """Noise over two borders of chunks."""

    def fill(folder: Path) -> None:
        write_audio(folder / "song" / "vocals.wav", noise(24))

    return server.publish(fill, stem_report({"vocals": -20.0}, RATE, 24 * RATE))


@pytest.fixture(scope="module")
def scripts(browser: sync_api.Browser, server: ListeningServer) -> sync_api.Page:
    """A page that can import the player's modules."""
    page = browser.new_page()
    page.goto(f"{server.url}/player/index.html")
    return page


def render(scripts: sync_api.Page, job: str, begin: int, seconds: float) -> dict[str, Any]:
    urls = [f"/v1/jobs/{job}/sound/reel/{stem}.wav" for stem in STEMS]
    return dict(scripts.evaluate(RENDER, [urls, begin, seconds, RATE, TWO_HOURS]))


def clicks_between(begin: int, end: int) -> list[list[float]]:
    return [[click - begin, 0.5] for click in CLICKS if begin <= click < end]


class TestSync:
    def test_no_sample_apart_across_the_borders_of_chunks(self, scripts: sync_api.Page, reel: str) -> None:
        told = render(scripts, reel, 0, 25)
        assert told["found"] == [clicks_between(0, 25 * RATE)] * 2
        assert len(told["found"][0]) == 6 and told["most"] <= 3
        assert told["frames"] == [[n * 441_000, n * 441_000, 441_000] for n in range(5)]

    def test_no_sample_apart_at_1_h_59_min(self, scripts: sync_api.Page, reel: str) -> None:
        begin = AT_1_59 - 5 * RATE
        told = render(scripts, reel, begin, 9)
        assert told["found"] == [clicks_between(begin, begin + 9 * RATE)] * 2
        assert len(told["found"][0]) == 3
        end = render(scripts, reel, TWO_HOURS - RATE, 2)
        assert end["found"] == [[[RATE - 1, 0.5]]] * 2

    def test_every_sample_is_the_file_s(self, scripts: sync_api.Page, song: str) -> None:
        assert scripts.evaluate(COMPARE, [f"/v1/jobs/{song}/sound/song/vocals.wav", 24, RATE]) == 0

    def test_two_hours_in_one_go_end_where_they_should(self, scripts: sync_api.Page) -> None:
        told = scripts.evaluate(TWO_HOURS_IN_ONE_GO)
        clicks = [0, 29_999, 30_000, 7140 * 3000 - 1, 7140 * 3000, 7200 * 3000 - 1]
        assert told == {"found": [clicks, clicks], "most": 3, "n": 720}

    def test_a_loop_comes_back_to_the_sample(self, scripts: sync_api.Page) -> None:
        assert scripts.evaluate(LOOP) == [0, 3000, 9000, 15_000]


class TestSchedule:
    def test_pieces_follow_each_other_whatever_the_course(self, scripts: sync_api.Page) -> None:
        assert scripts.evaluate(COURSES) == []

    def test_times_are_the_frames(self, scripts: sync_api.Page) -> None:
        """As a browser reckons: to the 1024th of a sample, then up to a whole one."""
        code = """async () => {
          const { timeOf } = await import('/player/schedule.js');
          let wrong = 0;
          for (const rate of [44100, 48000, 96000]) for (let i = 0; i < 200000; i++) {
            const frame = i < 100000 ? i : Math.floor(Math.random() * 2 ** 31);
            const held = timeOf(frame, rate) * rate;
            wrong += held < frame || Math.ceil(Math.round(held * 1024) / 1024) !== frame;
          }
          return wrong;
        }"""
        assert scripts.evaluate(code) == 0


class TestLevels:
    @pytest.mark.parametrize(
        ("strips", "comparison", "wanted_db"),
        [
            ([{}, {}], {}, [0, 0, None]),
            ([{"volumeDb": -6}, {"isMuted": True}], {}, [-6, None, None]),
            ([{"isSolo": True}, {"volumeDb": 3}], {}, [0, None, None]),
            ([{"isSolo": True, "isMuted": True}, {"isSolo": True}], {}, [0, 0, None]),
            ([{}, {}], {"hearsSource": True}, [None, None, 0]),  # the whole is the source
            ([{"isSolo": True}, {}], {"hearsSource": True}, [None, None, -6]),  # the source is louder
            ([{"volumeDb": 20}, {"isMuted": True}], {}, [6, None, None]),  # the mix is louder
            ([{"volumeDb": 20}, {"isMuted": True}], {"isMatched": False}, [20, None, None]),
            ([{}, {}], {"hearsSource": True, "addsUp": False}, [None, None, -6 + 10 * np.log10(2)]),
            ([{"isMuted": True}, {"isMuted": True}], {"hearsSource": True}, [None, None, 0]),
            ([{"volumeDb": -6}, {"isMuted": True}], {"hearsSource": True, "noSource": True}, [-9, -9]),
            ([{"volumeDb": -6}, {"isMuted": True}], {"noSource": True}, [-6, None]),
        ],
    )
    def test_gains(
        self,
        scripts: sync_api.Page,
        strips: list[dict[str, Any]],
        comparison: dict[str, Any],
        wanted_db: list[float | None],
    ) -> None:
        plain = {"name": "", "isSource": False, "volumeDb": 0, "isMuted": False, "isSolo": False, "lufs": -20}
        source = [] if comparison.get("noSource") else [plain | {"isSource": True, "lufs": -14}]
        told = [plain | strip for strip in strips] + source
        compared = {"hearsSource": False, "isMatched": True, "addsUp": True} | comparison
        code = "async (told) => (await import('/player/levels.js')).trackGains(...told)"
        gains = scripts.evaluate(code, [told, compared])
        assert gains == pytest.approx([0 if db is None else 10 ** (db / 20) for db in wanted_db], rel=1e-2)
