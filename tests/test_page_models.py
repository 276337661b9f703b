"""The tab of models in a real browser: fetched, stopped, checked, loaded, deleted; terms are accepted in place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from browsing import PAGE_MS, WORK_MS, OpenPage, go_to, needs_chromium, requests_at_rest, visiting, wait_for
from fetched_models import SMALL, WeightServer, fetched_models
from serving import Server, serving

from ui.server.options import ServerOptions
from ui.server.speeds import SPEEDS

pytestmark = [pytest.mark.browser, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def weights(folder: Path) -> Iterator[WeightServer]:
    with fetched_models(folder) as weights:
        yield weights


@pytest.fixture(scope="module")
def server(folder: Path, weights: WeightServer) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(folder / "server")), page=True) as server:
        yield server


@pytest.fixture
def open_models(browser: Any, server: Server) -> Iterator[OpenPage]:
    with visiting(browser, server.url) as open_page:
        yield lambda: open_page("Models")


def row(page: Any, name: str) -> Any:
    return page.get_by_role("listitem", name=name, exact=True)


def press(page: Any, button: str, name: str) -> None:
    page.get_by_role("button", name=f"{button}: {name}", exact=True).click()


def has_button(page: Any, button: str, name: str, there: bool = True) -> None:
    found = page.get_by_role("button", name=f"{button}: {name}", exact=True)
    expect(found).to_have_count(1 if there else 0, timeout=WORK_MS)


def test_a_model_is_fetched_with_its_progress_stopped_and_fetched_again(
    open_models: OpenPage, weights: WeightServer
) -> None:
    page, name = open_models(), "slow-net"
    expect(row(page, name)).to_contain_text("not here, 2.1 MB to fetch", timeout=PAGE_MS)
    weights.go_on.clear()
    press(page, "Fetch", name)
    expect(row(page, name)).to_contain_text("1.1 MB of 2.1 MB", timeout=WORK_MS)
    shown = row(page, name).get_by_role("progressbar").evaluate("bar => bar.value")
    assert 0.5 < shown < 0.7
    other = open_models()  # somebody else sees the model, and not whose fetch it is
    expect(row(other, name)).to_contain_text("not here", timeout=PAGE_MS)
    expect(row(other, name).get_by_role("progressbar")).to_have_count(0)
    page.reload()
    page.get_by_role("tab", name="Models", exact=True).click()
    expect(row(page, name)).to_contain_text("MB of 2.1 MB", timeout=WORK_MS)
    press(page, "Cancel", name)
    expect(row(page, name)).to_contain_text("Stopped; files that had arrived as a whole are kept.", timeout=WORK_MS)
    expect(row(page, name)).to_contain_text("not here")
    weights.go_on.set()
    press(page, "Fetch", name)
    expect(row(page, name)).to_contain_text("here, 2.1 MB", timeout=WORK_MS)
    has_button(page, "Fetch", name, there=False)
    press(page, "Delete files", name)
    press(page, "Keep them", name)
    press(page, "Delete files", name)
    expect(row(page, name)).to_contain_text("Delete 2.1 MB of files?")
    press(page, "Delete them", name)
    expect(row(page, name)).to_contain_text("not here", timeout=WORK_MS)


def test_a_damaged_model_is_found_and_repaired(open_models: OpenPage, folder: Path) -> None:
    page, name = open_models(), "quick-net"
    press(page, "Fetch", name)
    press(page, "Verify", name)
    expect(row(page, name)).to_contain_text(f"Every file of {name} is the one that was published.", timeout=WORK_MS)
    path = folder / "audio_ml_cache" / "models" / name / "small.bin"
    path.write_bytes(SMALL[:-1] + bytes([SMALL[-1] ^ 1]))
    press(page, "Verify", name)
    expect(row(page, name).get_by_role("alert")).to_contain_text(f"Damaged: {name}/small.bin", timeout=WORK_MS)
    press(page, "Fetch", name)
    wait_for(lambda: path.is_file() and path.read_bytes() == SMALL)
    has_button(page, "Fetch", name, there=False)
    press(page, "Load", name)
    expect(row(page, name)).to_contain_text("in memory, here", timeout=WORK_MS)
    memory = page.get_by_role("region", name="Memory")
    expect(memory.get_by_role("meter", name="Separation and cloning")).to_have_attribute("aria-valuenow", "1000")
    expect(memory).to_contain_text(f"{name}: about 1.0 kB, idle")
    press(page, "Unload", name)
    has_button(page, "Load", name)
    expect(memory).not_to_contain_text(name)


def test_a_fetch_that_fails_is_told_in_a_sentence_and_the_sources_folded(
    open_models: OpenPage, weights: WeightServer, folder: Path
) -> None:
    page, name = open_models(), "lost-net"
    press(page, "Fetch", name)
    alarm = row(page, name).get_by_role("alert")
    expect(alarm).to_contain_text("gone.bin of lost-net could not be fetched: 404", timeout=WORK_MS)
    source = alarm.get_by_text(f"{weights.url}/gone.bin: 404")
    expect(source).to_be_hidden()
    assert "Try again, or bring it with `audio-ml models import`." in alarm.inner_text()  # what to do is not folded
    alarm.get_by_text("More", exact=True).click()
    expect(source).to_be_visible()


def test_terms_are_read_and_accepted_where_they_stand(open_models: OpenPage, folder: Path) -> None:
    page, name = open_models(), "closed-net"
    offered = page.get_by_role("radio", name=re.compile("closed-net for tests"))
    go_to(page, "Separate")
    chosen = page.get_by_role("radio", name=re.compile("quick-net for tests"))
    chosen.check()
    expect(offered).to_have_count(0)  # nobody knows that it runs, and it is not here
    go_to(page, "Models")
    expect(page.get_by_role("button", name=f"Fetch: {name}", exact=True)).to_be_disabled(timeout=PAGE_MS)
    row(page, name).get_by_text("Read and accept its terms first").click()
    expect(row(page, name)).to_contain_text("research use only. Not for films.")
    press(page, "I accept these terms", name)
    expect(row(page, name)).to_contain_text("Its terms are accepted", timeout=WORK_MS)
    press(page, "Fetch", name)
    expect(row(page, name)).to_contain_text("here, 65.5 kB", timeout=WORK_MS)
    notes = map(json.loads, (folder / "server" / "audit.log").read_text().splitlines())
    (noted,) = [note for note in notes if note["model"] == name]  # other tests delete weights, which is noted as well
    assert noted["what"] == "accept" and noted["caller"].startswith("page/")
    go_to(page, "Separate")
    expect(offered).to_be_visible()
    expect(chosen).to_be_checked()
    offered.check()
    expect(page.get_by_text("Not for films.").filter(visible=True)).to_have_count(1)
    expect(page.get_by_role("checkbox", name="right", exact=True).filter(visible=True)).not_to_have_count(0)


def test_models_are_found_by_task_and_word_and_tell_their_speed(open_models: OpenPage, server: Server) -> None:
    with server.services.database.begin() as connection:
        connection.execute(sql.insert(SPEEDS).values(model="quick-net", times_real_time=24.2))
    page = open_models()
    listed = page.get_by_role("list", name="Models").get_by_role("listitem")
    expect(row(page, "kokoro")).to_be_visible(timeout=PAGE_MS)
    page.locator("model-list").get_by_label("Task").select_option("Separation")
    expect(row(page, "kokoro")).to_be_hidden()
    page.locator("model-list").get_by_label("Search").fill("zzz")
    expect(page.get_by_text("No model is all of that: take a word or a choice away.")).to_be_visible()
    page.locator("model-list").get_by_label("Search").fill("NET tests")
    expect(page.get_by_text("4 models")).to_be_visible()
    expect(row(page, "quick-net")).to_contain_text("left, right")
    expect(row(page, "quick-net")).to_contain_text("24 times real time here")
    expect(row(page, "slow-net")).to_contain_text("not measured here yet")
    page.locator("model-list").get_by_label("Only for commercial use").check()
    expect(row(page, "closed-net")).to_be_hidden()
    expect(listed).to_have_count(3)


def test_a_page_at_rest_asks_nothing(open_models: OpenPage) -> None:
    page = open_models()
    expect(row(page, "kokoro")).to_be_visible(timeout=PAGE_MS)
    assert requests_at_rest(page) == []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    assert requests_at_rest(page) == []
    assert sorted(url.rpartition("/v1/")[2].partition("?")[0] for url in asked) == ["jobs", "memory", "models"]


def test_an_element_tells_in_a_sentence_that_nobody_answers(open_models: OpenPage) -> None:
    page = open_models()
    expect(row(page, "kokoro")).to_be_visible(timeout=PAGE_MS)
    page.context.route("**/v1/models/**", lambda route: route.abort())
    page.locator("model-list").get_by_label("Search").fill("htdemucs-6s")
    row(page, "htdemucs-6s").get_by_text("Read and accept its terms first").click()
    press(page, "I accept these terms", "htdemucs-6s")
    expect(row(page, "htdemucs-6s").get_by_role("alert")).to_contain_text("The server does not answer.")
