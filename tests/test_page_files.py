"""Files that come to the page: large ones, those that are broken off, several in a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PAGE_MS, go_to, needs_chromium, wait_for
from listening import write_sparse
from serving import Server, serving

from ui.server.options import ServerOptions

pytestmark = [pytest.mark.browser, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
RATE = 48000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A page whose requests nobody looks at: what looks would have them in memory."""
    page = browser.new_context().new_page()
    page.goto(server.url)
    expect(page.get_by_role("button", name="Separate", exact=True)).to_be_visible(timeout=PAGE_MS)
    yield page
    page.context.close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def has_upload(server: Server, n_bytes: int) -> bool:
    return any(path.stat().st_size == n_bytes for path in server.services.options.uploads_folder.iterdir())


@pytest.mark.slow
def test_two_gigabytes_are_never_in_memory(page: Any, server: Server, tmp_path: Path) -> None:
    """And lie on the disk once: the upload is another name of what came."""
    reel = tmp_path / "reel.wav"
    write_sparse(reel, RATE, 1_000_000_000, [5])
    most, before = 0, resident_bytes()

    def arrived() -> bool:
        nonlocal most
        most = max(most, resident_bytes())
        return has_upload(server, reel.stat().st_size)

    page.locator("input[type=file]").first.set_input_files(reel)
    wait_for(arrived, 600)
    assert most - before < 200e6
    (upload,) = server.services.options.uploads_folder.iterdir()
    assert upload.stat().st_nlink == 2 or upload.stat().st_size < 2e9


def test_what_is_broken_off_leaves_nothing(page: Any, server: Server, tmp_path: Path) -> None:
    """The tab is closed while a large file is on its way."""
    reel, arriving = tmp_path / "broken off.wav", server.services.options.data_folder / "arriving"
    write_sparse(reel, RATE, 500_000_000, [7])
    page.locator("input[type=file]").first.set_input_files(reel)

    def is_coming() -> bool:
        return any(path.stat().st_size > 1e6 for path in arriving.glob("tmp*"))

    wait_for(is_coming)
    page.context.close()
    wait_for(lambda: not any(path.is_file() for path in arriving.glob("tmp*")))
    assert not has_upload(server, reel.stat().st_size)


def test_a_file_that_the_server_has_no_room_for_is_told_where_it_is(
    page: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.server.refusals import TooLarge

    def refuse(*_: object) -> None:
        raise TooLarge("Your uploads may have 3 MB together.")

    monkeypatch.setattr(server.services.uploads, "adopt", refuse)
    small = tmp_path / "small.wav"
    write_sparse(small, RATE, RATE, [3])
    page.locator("input[type=file]").first.set_input_files(small)
    expect(page.get_by_role("alert").filter(has_text="3 MB together").first).to_be_visible(timeout=PAGE_MS)


SHEET = "Cue,Character,TC In,TC Out,Line\n7,HERO,01:00:00:12,01:00:02:12,Where is everybody?\n"


def test_what_gradio_has_removed_is_read_from_the_upload(page: Any, server: Server, tmp_path: Path) -> None:
    """It removes what came more than an hour ago, and knows nothing of it after a restart."""

    def remove_all() -> None:
        for path in (server.services.options.data_folder / "arriving").rglob("*"):
            if path.is_file():
                path.unlink(missing_ok=True)

    def tasks() -> list[str]:
        jobs = page.evaluate("async () => (await (await fetch('mine/v1/jobs')).json()).jobs")
        return [job["task"] for job in jobs]

    small, sheet = tmp_path / "small.wav", tmp_path / "adr.csv"
    write_sparse(small, RATE, RATE, [3])
    sheet.write_text(SHEET)
    page.locator("input[type=file]").first.set_input_files(small)
    wait_for(lambda: has_upload(server, small.stat().st_size))
    go_to(page, "Speak")
    page.get_by_role("tab", name="Cue sheet").click()
    page.locator("#cues-sheet input[type=file]").set_input_files(sheet)
    lines = page.get_by_role("region", name="Lines of the sheet")
    expect(lines.get_by_role("row")).to_have_count(2, timeout=PAGE_MS)

    remove_all()
    page.get_by_label("Voice of HERO", exact=True).select_option("kokoro/am_michael")
    expect(lines.get_by_role("row", name="HERO")).to_contain_text("kokoro/am_michael", timeout=PAGE_MS)
    remove_all()
    page.get_by_role("button", name="Render all").click()
    wait_for(lambda: tasks() == ["cues"])
    go_to(page, "Separate")
    page.get_by_role("button", name="Separate", exact=True).click()
    wait_for(lambda: tasks() == ["separate", "cues"])

    remove_all()
    for path in server.services.options.uploads_folder.iterdir():
        server.services.uploads.delete(path.name)  # their day is over
    page.get_by_role("button", name="Separate", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="small.wav is no longer here: choose it again.")).to_be_visible()
