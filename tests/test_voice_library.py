"""The folder of enrolled voices: private, never overwritten unasked, and what is deleted is gone with all of it."""

from __future__ import annotations

import gc
import os
import stat
import sys
import time
import weakref
from pathlib import Path

import pytest
from made_up_voices import made_up_voice

from audio_ml import voice_library
from audio_ml.errors import InvalidInput, OutputError, OutputExists, OutputUnwritable, UnknownVoice
from audio_ml.voice_file import encode, read_voice_file
from audio_ml.voice_library import VoiceLibrary, voices_folder, write_privately

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


def test_a_voice_is_found_by_its_name(library: VoiceLibrary) -> None:
    path = library.save(made_up_voice("Anna"))
    library.save(made_up_voice("Žofie", 1))
    assert library.names() == ["Anna", "Žofie"]
    assert library.load("Anna").sha256 == library.load("anna").sha256 == made_up_voice("Anna").sha256
    assert library.load("Z\u030cofie").name == "Žofie"  # decomposed, as some systems write it
    assert path == library.path("ANNA") == library.folder / "Anna.voice.safetensors"
    voices, broken = library.voices()
    assert list(voices) == ["Anna", "Žofie"] and not broken


@posix
def test_voices_are_for_their_owner_alone(library: VoiceLibrary) -> None:
    path = library.save(made_up_voice())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(library.folder.stat().st_mode) == 0o700
    library.save(made_up_voice(), overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_voice_is_not_overwritten_unasked(library: VoiceLibrary) -> None:
    library.save(made_up_voice("anna"))
    with pytest.raises(OutputExists, match="'Anna' already"):
        library.save(made_up_voice("Anna", 1))
    assert library.load("anna").name == "anna"
    library.save(made_up_voice("Anna", 1), overwrite=True)
    assert library.load("anna").sha256 == made_up_voice("Anna", 1).sha256
    assert len(list(library.folder.iterdir())) == 1


def test_what_another_process_is_writing_is_left_alone_and_what_a_kill_left_is_not(library: VoiceLibrary) -> None:
    path = library.save(made_up_voice())
    writing, left = (library.folder / f".{path.name}.{name}.part" for name in ("0123456789abcdef", "fedcba9876543210"))
    for part in (writing, left):
        part.write_bytes(b"x")
    os.utime(left, (time.time() - 4000,) * 2)
    library.save(made_up_voice("anna", 1), overwrite=True)
    assert set(library.folder.iterdir()) == {path, writing}


def test_deleting_takes_all_of_a_voice_along_and_nothing_else(library: VoiceLibrary, tmp_path: Path) -> None:
    path, other = library.save(made_up_voice()), library.save(made_up_voice("anna 2", 1))
    unfinished = library.folder / f".{path.name}.0123456789abcdef.part"
    unfinished.write_bytes(b"x")
    others_unfinished = library.folder / f".{other.name}.0123456789abcdef.part"
    others_unfinished.write_bytes(b"x")
    exported = tmp_path / "exported"
    exported.write_bytes(path.read_bytes())
    assert set(library.delete("Anna")) == {path, unfinished}
    assert set(library.folder.iterdir()) == {other, others_unfinished} and exported.exists()
    with pytest.raises(UnknownVoice, match="no cloned voice 'anna'"):
        library.delete("anna")


@posix
def test_deleting_follows_no_links(library: VoiceLibrary, tmp_path: Path) -> None:
    library.folder.mkdir()
    (tmp_path / "file").write_bytes(encode(made_up_voice()))
    (tmp_path / "kept").mkdir()
    for name, target in (("anna", "file"), ("folder", "kept")):
        (library.folder / f"{name}.voice.safetensors").symlink_to(tmp_path / target)
    assert library.load("anna").name == "anna"
    for name in ("anna", "folder"):
        library.delete(name)
    assert not list(library.folder.iterdir()) and (tmp_path / "kept").is_dir() and (tmp_path / "file").is_file()


@pytest.mark.parametrize("name", ["../anna", "a/b", "", ".", "..", "anna.voice", "a\0"])
def test_a_name_leads_nowhere_else(library: VoiceLibrary, name: str) -> None:
    for action in (library.load, library.delete, library.path):
        with pytest.raises(InvalidInput, match="no name for a voice"):
            action(name)


def test_an_unknown_name_gets_a_hint(library: VoiceLibrary) -> None:
    with pytest.raises(UnknownVoice, match="None is enrolled here"):
        library.load("anna")
    library.save(made_up_voice())
    with pytest.raises(UnknownVoice, match="Did you mean 'anna'"):
        library.load("ana")


def test_voices_are_read_once_however_many_there_are(library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(voice_library, "read_voice_file", lambda path: read.append(path.name) or read_voice_file(path))
    for number in range(70):
        library.save(made_up_voice(f"v{number}"))
    first = library.voices()[0]
    for _ in range(2):
        assert all(library.voices()[0][name] is voice for name, voice in first.items())
    assert len(read) == len(set(read)) == 70
    library.save(made_up_voice("V7", 1), overwrite=True)
    assert library.load("v7").sha256 == made_up_voice("V7", 1).sha256 and len(read) == 71


def test_memory_of_voices_has_a_limit_and_does_not_outlive_them(
    library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        size = library.save(made_up_voice(f"v{number}", number)).stat().st_size
    monkeypatch.setattr(voice_library, "KEPT_IN_MEMORY", 2 * size)
    once, again = (library.voices()[0] for _ in range(2))
    assert [once[name] is again[name] for name in sorted(once)] == [True, True, False, False]
    kept = weakref.ref(once["v0"]), weakref.ref(once["v1"])
    library.delete("v0")
    library.path("v1").unlink()  # by somebody else
    assert set(library.voices()[0]) == {"v2", "v3"}
    del once, again
    gc.collect()
    assert [each() for each in kept] == [None, None]


def test_broken_files_are_told_and_do_not_hide_others(library: VoiceLibrary) -> None:
    good = library.save(made_up_voice())
    torn, renamed = (library.folder / f"{name}.voice.safetensors" for name in ("torn", "renamed"))
    torn.write_bytes(encode(made_up_voice("torn"))[:-5])
    renamed.write_bytes(good.read_bytes())
    (library.folder / "folder.voice.safetensors").mkdir()
    (library.folder / "notes.txt").write_text("not a voice")
    voices, broken = library.voices()
    assert list(voices) == ["anna"] and {path.name.split(".")[0] for path in broken} == {"torn", "renamed", "folder"}
    assert "damaged" in broken[torn] and "it is the voice 'anna'" in broken[renamed]
    for name in ("torn", "renamed"):
        with pytest.raises(InvalidInput, match=f"{name}.voice.safetensors cannot be used"):
            library.load(name)
        library.delete(name)


@pytest.mark.parametrize("name", ["an+na", "anna  2", "con", "Zoe\u0308 *"])
def test_a_file_with_a_name_that_no_voice_can_have_is_deleted_by_it(library: VoiceLibrary, name: str) -> None:
    good = library.save(made_up_voice())
    path = library.folder / f"{name}.voice.safetensors"
    path.write_bytes(good.read_bytes())
    with pytest.raises(InvalidInput, match="no name for a voice"):
        library.load(name)
    assert library.delete(name) == [path] and not path.exists() and good.exists()


def test_a_changed_file_is_read_anew(library: VoiceLibrary) -> None:
    path = library.save(made_up_voice())
    assert library.load("anna") is library.load("anna")
    path.write_bytes(encode(made_up_voice(seed=1)))
    os.utime(path, ns=(1, 1))
    assert library.load("anna").sha256 == made_up_voice(seed=1).sha256


def test_what_fails_leaves_what_was_there(
    library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = library.save(made_up_voice())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        library.save(made_up_voice(seed=1), overwrite=True)
    assert list(library.folder.iterdir()) == [path] and read_voice_file(path).sha256 == made_up_voice().sha256
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputUnwritable):
        VoiceLibrary(tmp_path / "file").save(made_up_voice())


def test_files_come_into_being_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_privately(tmp_path / "a", b"1", overwrite=False)

    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    for _ in range(2):
        with pytest.raises(OutputExists, match="--overwrite"):
            write_privately(tmp_path / "a", b"2", overwrite=False)
        monkeypatch.setattr(os, "link", no_links)
    write_privately(tmp_path / "b", b"3", overwrite=False)
    write_privately(tmp_path / "a", b"4", overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"4", "b": b"3"}


def test_the_folder_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "mine"))
    assert voices_folder() == VoiceLibrary.default().folder == tmp_path / "mine"
    monkeypatch.delenv("AUDIO_ML_VOICES")
    assert voices_folder().name == "voices" and "audio-ml" in voices_folder().parts
