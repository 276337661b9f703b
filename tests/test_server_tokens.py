"""Who may call: the file of tokens is read strictly, and nothing of a token is ever told."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.options import describe, parse
from ui.server.options import ServerOptions
from ui.server.tokens import Tokens, local_caller, read_tokens

ANNA, BEN = "anna-0123456789abcdef", "ben-0123456789abcdef0"


def write(path: Path, content: object, mode: int = 0o600) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "tokens.yaml",
        f"""
tokens:
  - name: anna
    token: {ANNA}
    roots: [/srv/anna]
    max_upload: 1GB
    max_jobs: 2
    max_queued: 5
  - name: ben
    sha256: {hashlib.sha256(BEN.encode()).hexdigest()}
""",
    )


def test_a_token_is_its_caller_with_roots_and_limits(file: Path) -> None:
    tokens = Tokens(file, ServerOptions(roots=("/srv/all",), max_upload="2GB"))
    anna, ben = tokens.find(ANNA), tokens.find(BEN)
    assert anna and ben
    assert (anna.name, anna.roots, anna.limits.max_upload_bytes) == ("anna", (Path("/srv/anna"),), 1_000_000_000)
    assert (anna.limits.max_jobs, anna.limits.max_queued) == (2, 5)
    assert (ben.name, ben.roots, ben.limits.max_upload_bytes) == ("ben", (Path("/srv/all"),), 2_000_000_000)
    for wrong in ("", "anna", ANNA[:-1], ANNA + "x", ANNA.upper(), "é" * 20, "\udcff" * 20):
        assert tokens.find(wrong) is None


def test_nobody_gets_more_than_the_server_allows(file: Path) -> None:
    caller = Tokens(file, ServerOptions(max_upload="10MB")).find(ANNA)
    assert caller is not None and caller.limits.max_upload_bytes == 10_000_000


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(InvalidInput, match="chmod 600") as error:
        Tokens(file, ServerOptions())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("tokens: [", "not YAML or JSON (line"),
        ("", "valid dictionary"),
        ({"tokens": []}, "at least 1"),
        ({"tokens": [{"name": "anna"}]}, "tokens.0: it needs either token or sha256"),
        ({"tokens": [{"name": "anna", "token": "short"}]}, "at least 16"),
        ({"tokens": [{"name": "anna", "token": 1234567890123456}]}, "valid string"),
        ({"tokens": [{"name": "a/b", "token": ANNA}]}, "tokens.0.name"),
        ({"tokens": [{"name": "anna", "token": ANNA, "root": []}]}, "tokens.0.root"),
        ({"tokens": [{"name": "anna", "token": ANNA}, {"name": "anna", "token": BEN}]}, "same name"),
        ({"tokens": [{"name": "anna", "token": ANNA}, {"name": "ben", "token": ANNA}]}, "same digest"),
        ({"tokens": [{"name": "anna", "token": ANNA, "max_upload": "much"}]}, "4GB"),
        ({"tokens": [{"name": "anna", "token": ANNA, "max_queued": 0}]}, "tokens.0.max_queued"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_without_the_token(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_tokens(write(tmp_path / "tokens.json", content), ServerOptions())
    assert words in str(error.value)
    assert "\n" not in str(error.value) and ANNA not in str(error.value) and "1234567890" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        Tokens(tmp_path / "none", ServerOptions())


def test_a_token_can_be_taken_back_while_the_server_runs(file: Path) -> None:
    tokens = Tokens(file, ServerOptions())
    write(file, {"tokens": [{"name": "carl", "token": "carl-0123456789abcdef"}]})
    assert tokens.find(ANNA) is None
    assert tokens.find("carl-0123456789abcdef") is not None
    write(file, "broken: [")
    assert tokens.find("carl-0123456789abcdef") is not None  # a slip of the editor locks nobody out


def test_without_tokens_there_is_one_caller(tmp_path: Path) -> None:
    caller = local_caller(ServerOptions(roots=(str(tmp_path),)))
    assert (caller.name, caller.roots) == ("local", (tmp_path,))


def test_every_option_of_the_server_is_described() -> None:
    fields = describe(ServerOptions)
    assert all(field.description for field in fields)
    assert len({field.flag for field in fields}) == len(fields)


@pytest.mark.parametrize(
    "values",
    [{"max_upload": "much"}, {"max_body": "0"}, {"keep_hours": float("inf")}, {"queue": 3}, {"max_channels": 0}],
)
def test_a_wrong_option_of_the_server_is_named(values: dict[str, object]) -> None:
    with pytest.raises(InvalidOption, match=next(iter(values))):
        parse(ServerOptions, values)


def test_the_data_folder_follows_option_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIO_ML_SERVER_FOLDER", str(tmp_path / "environment"))
    assert ServerOptions().data_folder == tmp_path / "environment"
    assert ServerOptions(folder=str(tmp_path)).data_folder == tmp_path
