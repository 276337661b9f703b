"""What a job may read: nothing outside its caller's roots, no upload of another's, and no endless sound."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio_ml.errors import Cancelled, InvalidInput, UnreadableAudio
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader
from ui.server.database import Database
from ui.server.inputs import check_inputs, check_sound, open_input, resolve_below
from ui.server.options import ServerOptions
from ui.server.refusals import TooLarge, UnknownUpload
from ui.server.request import InputRef
from ui.server.tokens import Caller, local_caller
from ui.server.upload_store import UploadStore

RATE = 8000


def write_sound(path: Path, seconds: float = 1.0, n_channels: int = 1, **settings: Any) -> Path:
    import soundfile

    soundfile.write(path, np.zeros((round(seconds * RATE), n_channels), np.float32), RATE, **settings)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "inner").mkdir(parents=True)
    write_sound(tmp_path / "root" / "inner" / "song.wav")
    write_sound(tmp_path / "secret.wav")
    return tmp_path / "root"


@pytest.fixture
def options(tmp_path: Path, root: Path) -> ServerOptions:
    return ServerOptions(folder=str(tmp_path / "server"), roots=(str(root),), max_seconds=10, max_channels=4)


@pytest.fixture
def uploads(options: ServerOptions) -> UploadStore:
    options.data_folder.mkdir()
    return UploadStore(Database(options.data_folder / "jobs.sqlite"), options.uploads_folder, options)


# Paths


def test_a_file_below_a_root_is_read_where_it_lies(
    root: Path, options: ServerOptions, uploads: UploadStore, tmp_path: Path
) -> None:
    song = root / "inner" / "song.wav"
    (ref,) = check_inputs([InputRef(path=str(song))], local_caller(options), uploads, options)
    assert (ref["name"], Path(ref["path"])) == ("song.wav", song.resolve())
    assert open_input(ref, tmp_path, options, Progress()) == song.resolve()
    inside = root / "link.wav"
    inside.symlink_to(song)
    assert resolve_below(str(inside), [root])[0] == song.resolve()
    elsewhere = root.parent / "mount"
    elsewhere.symlink_to(root)
    assert resolve_below(str(elsewhere / "inner" / "song.wav"), [elsewhere])[0] == song.resolve()


def outside(root: Path) -> Iterator[str]:
    secret = root.parent / "secret.wav"
    yield str(secret)
    yield f"{root}/../secret.wav"
    yield f"{root}/inner/../../secret.wav"
    yield str(root)  # a folder
    yield f"{root}/none.wav"
    yield f"{root}/song.wav\0"
    yield "inner/song.wav"
    yield ""
    yield f"{root}-other/song.wav"
    yield "x" * 5000
    yield "/" + "x/" * 3000
    yield "/dev/zero"
    yield "/proc/self/environ"
    links = {"file": secret, "folder": root.parent, "device": Path("/dev/zero"), "loop": root / "loop"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    yield from (str(root / "file"), str(root / "folder" / "secret.wav"), str(root / "device"), str(root / "loop"))
    os.mkfifo(root / "fifo")
    yield str(root / "fifo")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as unix:
        os.chdir(root)  # names of sockets are short
        unix.bind("socket")
    yield str(root / "socket")


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices")
def test_nothing_else_is_read_and_every_refusal_sounds_alike(
    root: Path, options: ServerOptions, uploads: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root.parent / "root-other").mkdir()
    write_sound(root.parent / "root-other" / "song.wav")
    for path in outside(root):
        with pytest.raises(InvalidInput) as error:
            check_inputs([InputRef(path=path)], local_caller(options), uploads, options)
        assert str(error.value) == f"{path!r} is no file below a folder that you may read by path on the server."


def test_without_roots_no_path_is_read(root: Path, uploads: UploadStore, options: ServerOptions) -> None:
    caller = Caller("anna", (), local_caller(options).limits)
    with pytest.raises(InvalidInput, match="may read by path"):
        check_inputs([InputRef(path=str(root / "inner" / "song.wav"))], caller, uploads, options)


def test_a_link_that_was_turned_away_meanwhile_is_not_followed(
    root: Path, options: ServerOptions, uploads: UploadStore, tmp_path: Path
) -> None:
    song = root / "inner" / "song.wav"
    (ref,) = check_inputs([InputRef(path=str(song))], local_caller(options), uploads, options)
    song.unlink()
    song.symlink_to(tmp_path / "secret.wav")
    with pytest.raises(InvalidInput, match="may read by path"):
        open_input(ref, tmp_path, options, Progress())


# Uploads


def test_an_upload_is_read_under_its_own_name_and_outlives_its_removal(
    options: ServerOptions, uploads: UploadStore, tmp_path: Path, root: Path
) -> None:
    caller = local_caller(options)
    data = (root / "inner" / "song.wav").read_bytes()
    upload = uploads.create(caller, len(data), "../my song.wav", "")
    with pytest.raises(InvalidInput, match=f"0 of {len(data)} bytes"):
        check_inputs([InputRef(upload=upload.id)], caller, uploads, options)
    uploads.append(upload, data)
    (ref,) = check_inputs([InputRef(upload=upload.id)], caller, uploads, options)
    (tmp_path / "job").mkdir()
    path = open_input(ref, tmp_path / "job", options, Progress())
    assert path == tmp_path / "job" / "my song.wav"
    uploads.delete(upload.id)
    assert path.read_bytes() == data
    with pytest.raises(UnknownUpload):
        check_inputs([InputRef(upload=upload.id)], caller, uploads, options)
    path.unlink()
    with pytest.raises(InvalidInput, match="no longer here"):
        open_input(ref, tmp_path / "job", options, Progress())


def test_an_upload_of_another_is_unknown(options: ServerOptions, uploads: UploadStore) -> None:
    upload = uploads.create(local_caller(options), 0, "a", "")
    with pytest.raises(UnknownUpload):
        check_inputs([InputRef(upload=upload.id)], Caller("ben", (), local_caller(options).limits), uploads, options)


# Sound that claims or holds too much


def test_sound_within_the_limits_passes(tmp_path: Path, options: ServerOptions) -> None:
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        check_sound(write_sound(tmp_path / name, 9), options)
    check_sound(write_m4a(tmp_path / "a.m4a", 9), options)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
def test_sound_over_the_limits_is_refused(tmp_path: Path, options: ServerOptions, name: str) -> None:
    write = write_m4a if name.endswith("m4a") else write_sound
    with pytest.raises(TooLarge, match="longer than") as error:
        check_sound(write(tmp_path / name, 11), options)
    assert "\n" not in str(error.value)


def test_channels_and_rates_are_limited(tmp_path: Path, options: ServerOptions) -> None:
    with pytest.raises(TooLarge, match="5 channels, and 4"):
        check_sound(write_sound(tmp_path / "a.wav", 1, 5), options)
    import soundfile

    for seconds, fits in ((4.5, True), (5.5, False)):  # 10 s of 4 channels at 48 kHz are 5 s at 96 kHz
        soundfile.write(tmp_path / "w.wav", np.zeros((round(seconds * 96_000), 4), np.int16), 96_000)
        with contextlib.nullcontext() if fits else pytest.raises(TooLarge, match="longer than"):
            check_sound(tmp_path / "w.wav", options)
    slow = write_sound(tmp_path / "b.wav")
    content = bytearray(slow.read_bytes())
    content[24:28] = struct.pack("<I", 4_000_000)
    slow.write_bytes(content)
    with pytest.raises(UnreadableAudio, match="sample rate"):
        check_sound(slow, options)


def lie_in_flac(path: Path, claimed: int) -> None:
    """Writes another number of samples into STREAMINFO: its last 36 bits before the MD5."""
    content = bytearray(path.read_bytes())
    field = int.from_bytes(content[18:26], "big")
    content[18:26] = (field >> 36 << 36 | claimed).to_bytes(8, "big")
    path.write_bytes(content)


def lie_in_ogg(path: Path, claimed: int) -> None:
    """Writes another position into the last page, with the checksum that belongs to it."""
    content = bytearray(path.read_bytes())
    page = content.rindex(b"OggS")
    content[page + 6 : page + 14] = struct.pack("<q", claimed)
    content[page + 22 : page + 26] = bytes(4)
    checksum = 0
    for byte in content[page:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 0x80000000 else 0)) & 0xFFFFFFFF
    content[page + 22 : page + 26] = struct.pack("<I", checksum)
    path.write_bytes(content)


def lie_in_mp3(path: Path, claimed: int) -> None:
    """Writes another number of frames into the Xing or Info header."""
    content = bytearray(path.read_bytes())
    place = max(content.find(b"Xing", 0, 500), content.find(b"Info", 0, 500))
    assert place > 0
    content[place + 8 : place + 12] = struct.pack(">I", max(1, claimed // 576))
    path.write_bytes(content)


def write_m4a(path: Path, seconds: float) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(round(seconds * RATE / 1024)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lie_in_m4a(path: Path, claimed: int) -> None:
    """Writes another duration into every header that has one, and into the times of the samples."""
    content = bytearray(path.read_bytes())
    for kind, place in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = content.index(kind) + place
        content[at : at + 4] = struct.pack(">I", max(1, claimed // 100))
    at = content.index(b"stts") + 12
    content[at + 4 : at + 8] = struct.pack(">I", 1)  # each sample lasts one tick
    path.write_bytes(content)


@pytest.mark.parametrize("claimed", [0, 1, RATE, 2 * RATE])
@pytest.mark.parametrize(
    ("name", "lie"), [("a.flac", lie_in_flac), ("a.ogg", lie_in_ogg), ("a.mp3", lie_in_mp3), ("a.m4a", lie_in_m4a)]
)
def test_a_small_file_that_claims_little_gives_little(
    tmp_path: Path, options: ServerOptions, name: str, lie: Callable[[Path, int], None], claimed: int
) -> None:
    """Two minutes of silence in a few kilobytes: refused, or read no further than what was claimed."""
    write = write_m4a if name.endswith("m4a") else write_sound
    path = write(tmp_path / name, 120)
    lie(path, claimed)
    try:
        check_sound(path, options)
    except (InvalidInput, TooLarge):
        return
    reader = AudioReader(path)
    n_read = sum(block.shape[1] for block in reader.blocks())
    assert n_read <= options.max_seconds * reader.info.sample_rate


def test_a_file_that_claims_days_is_refused_at_once(tmp_path: Path, options: ServerOptions) -> None:
    path = write_sound(tmp_path / "a.flac", 1)
    lie_in_flac(path, 2**36 - 1)
    began = time.process_time()
    with pytest.raises(TooLarge):
        check_sound(path, options)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"not sound", b"fLaC" + bytes(100), b"#EXTM3U\nhttp://127.0.0.1/x", b"<?xml"]
)
def test_what_is_no_sound_is_one_line(tmp_path: Path, options: ServerOptions, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UnreadableAudio) as error:
        check_sound(tmp_path / "a.wav", options)
    assert "\n" not in str(error.value)


def test_counting_can_be_cancelled(tmp_path: Path, options: ServerOptions) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        check_sound(write_m4a(tmp_path / "a.m4a", 9), options, progress)
