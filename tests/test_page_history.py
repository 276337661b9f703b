"""The tab of the visitor's history in a real browser: what ran and how, run again, deleted; each visitor their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import PAGE_MS, WORK_MS, OpenPage, needs_chromium, requests_at_rest, wait_for
from serving import Server, serving

from ui.server.options import ServerOptions

pytestmark = [pytest.mark.browser, pytest.mark.weights, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
SUBMIT = """async request => {
    const told = {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(request)};
    return (await (await fetch("mine/v1/jobs", told)).json()).id;
}"""
UPLOAD = """async () => {
    const headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "4", "Content-Type": "application/offset+octet-stream"};
    headers["Upload-Metadata"] = "filename " + btoa("song.wav");
    const told = {method: "POST", headers, body: "none"};
    return (await fetch("mine/v1/uploads", told)).headers.get("Location").split("/").at(-1);
}"""
SPOKEN = {
    "task": "speak",
    "text": "Wait for me!",
    "voice": "hibari/heart",
    "options": {"speed": 1.25},
    "delivery": {"captions": ["srt"]},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


def ended(page: Any, server: Server, **request: Any) -> str:
    """Has the page's visitor ask for a job, and waits for its end."""
    id = page.evaluate(SUBMIT, request)
    for _ in range(6000):
        if server.services.store.get(id).has_ended:
            break
        page.wait_for_timeout(50)
    assert server.services.store.get(id).has_ended
    return str(id)


def jobs(page: Any) -> Any:
    return page.locator("job-history .jobs > li:not([hidden])")


def look(page: Any) -> None:
    page.evaluate("window.dispatchEvent(new Event('focus'))")


def test_a_job_is_told_with_its_settings_runs_again_and_goes_with_its_files(
    open_page: OpenPage, server: Server
) -> None:
    page, other = open_page("History"), open_page("History")
    expect(page.get_by_text("No jobs yet.")).to_be_visible(timeout=PAGE_MS)
    id = ended(page, server, **SPOKEN)
    folder = server.services.scheduler.folder_of(id)
    size = sum(path.stat().st_size for path in folder.iterdir())
    look(page)
    expect(jobs(page)).to_have_count(1)
    expect(jobs(page).first).to_contain_text("Speech, hibari/heart, ")
    page.locator("summary").filter(has_text="Files").click()
    expect(jobs(page).first.get_by_role("link", name="speech.srt")).to_be_visible()
    expect(jobs(page).first).to_contain_text(re.compile(rf"took .* s, 2 files, {size / 1000:.1f} kB"))
    expect(page.get_by_text(f"1 job, {size / 1000:.1f} kB on the disk")).to_be_visible()
    page.get_by_text("Settings").click()
    settings = jobs(page).first.locator("dl")
    for fact in ("hibari/heart", "Wait for me!", "speed: 1.25", "captions: srt"):
        expect(settings).to_contain_text(fact)

    page.get_by_role("button", name="Run again: Wait for me!").click()
    expect(jobs(page)).to_have_count(2, timeout=WORK_MS)
    expect(jobs(page).first).to_contain_text("done", timeout=WORK_MS)
    first, second = server.services.store.find()[::-1]
    assert first.id == id and second.request == first.request and second.owner == first.owner
    texts = [server.services.scheduler.folder_of(job.id).joinpath("speech.srt").read_text() for job in (first, second)]
    assert texts[0] == texts[1]

    with other.expect_response("**/mine/v1/jobs?*"):
        look(other)
    expect(jobs(other)).to_have_count(0)
    jobs(page).last.get_by_role("button", name="Delete").click()
    jobs(page).last.get_by_role("button", name="Delete for good?").click()
    expect(jobs(page)).to_have_count(1)
    assert not folder.exists() and [job.id for job in server.services.store.find()] == [second.id]


def test_all_that_is_shown_is_deleted_when_the_visitor_is_sure(open_page: OpenPage, server: Server) -> None:
    page, other = open_page("History"), open_page("History")
    kept = ended(other, server, task="verify", model="hibari")
    spoken = ended(page, server, **SPOKEN)
    for _ in range(2):
        ended(page, server, task="verify", model="hibari")
    look(page)
    expect(jobs(page)).to_have_count(3)
    page.locator("job-history").get_by_label("Task").select_option("Check of a model")
    expect(jobs(page)).to_have_count(2)
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete the 2 jobs that are shown here")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(jobs(page)).to_have_count(2)
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("button", name="Delete them").click()
    expect(jobs(page)).to_have_count(0)
    page.locator("job-history").get_by_label("Task").select_option("All")
    expect(jobs(page)).to_have_count(1)
    here = {job.id for job in server.services.store.find()}
    assert {kept, spoken} <= here
    page.locator("job-history").get_by_label("State").select_option("Failed")
    expect(jobs(page)).to_have_count(0)


def test_a_deleted_job_does_not_come_back_with_an_answer_that_was_on_its_way(
    open_page: OpenPage, server: Server
) -> None:
    page, late = open_page("History"), list[Any]()
    ended(page, server, task="verify", model="hibari")
    look(page)
    expect(jobs(page)).to_have_count(1)

    def hold(route: Any) -> None:
        if late:
            route.fallback()
        else:
            late.append((route, route.fetch()))

    page.route("**/mine/v1/jobs?limit=1000", hold)
    look(page)
    wait_for(lambda: page.wait_for_timeout(50) or late)
    for press in ("Delete", "Delete for good?"):
        jobs(page).first.get_by_role("button", name=press).click()
    expect(jobs(page)).to_have_count(0)
    route, answer = late[0]
    assert answer.json()["jobs"]
    with page.expect_response("**/mine/v1/jobs?limit=1000"):
        route.fulfill(response=answer)
    page.wait_for_timeout(500)
    expect(jobs(page)).to_have_count(0)


def test_a_job_whose_recording_is_gone_says_so_in_a_sentence(open_page: OpenPage, server: Server) -> None:
    page = open_page("History")
    upload = page.evaluate(UPLOAD)
    ended(page, server, task="separate", inputs=[{"upload": upload}])
    look(page)
    expect(jobs(page).first).to_contain_text("failed")
    expect(page.get_by_role("alert")).to_have_text("song.wav is not an audio or video file that can be read.")
    deleted = "upload => fetch(`mine/v1/uploads/${upload}`, {method: 'DELETE', headers: {'Tus-Resumable': '1.0.0'}})"
    page.evaluate(f"async upload => (await ({deleted})(upload)).status", upload)
    page.get_by_role("button", name="Run again: song.wav").click()
    expect(page.get_by_role("alert")).to_have_text(
        "What this job read is no longer on the server: choose the file again in its tab."
    )
    expect(jobs(page)).to_have_count(1)


def test_a_job_that_goes_on_is_followed_and_cancelled(open_page: OpenPage, server: Server) -> None:
    page = open_page("History")
    text = "It is half past seven, and here is the news. " * 400
    page.evaluate(SUBMIT, {"task": "speak", "text": text, "voice": "hibari/heart"})
    look(page)
    expect(jobs(page).first).to_contain_text(re.compile(r"running, [1-9]\d*%"), timeout=WORK_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(jobs(page).first).to_contain_text("stopped", timeout=WORK_MS)
    assert requests_at_rest(page) == []
