"""The console in a real Chromium: every page in both colour schemes, at two sizes."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Dialog, Page, async_playwright
from playwright.async_api import TimeoutError as NotSeenError

from api.resources.attempt import Ended
from api.resources.turn import Turn
from tests.api.conftest import Bench
from tests.api.console.story import HOSTILE, answered, record, tell
from tests.api.console.test_pages import LISTS, NEW, things
from tests.api.story import NORMAL

CHROMIUM: Final = shutil.which("chromium")
#: A scheme each, so that every page is opened twice.
SIZES: Final = {"light": (1280, 800), "dark": (390, 844)}
#: What axe calls serious.
SERIOUS: Final = {"serious", "critical"}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        await chromium.close()


async def sign_in(page: Page, bench: Bench) -> None:
    """By hand."""
    await page.goto(f"{bench.services.url}/console")
    await page.fill("#key", bench.key)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/calls")


def listen(page: Page) -> list[str]:
    """What the browser complains of from now on: errors, and what the policy forbade."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))

    async def agree(dialog: Dialog) -> None:
        found.append(f"dialog: {dialog.message}")
        await dialog.accept()

    page.on("dialog", agree)
    page.on(
        "console",
        lambda said: found.append(said.text) if said.type in {"error", "warning"} else None,
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_sound_and_for_everybody(
    bench: Bench, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    told = await tell(bench, os.environ.get("OFFHOOK_TEST_SAID", HOSTILE))
    pictures = os.environ.get("OFFHOOK_TEST_PICTURES")
    calls = [f"/calls/{one}" for one in (told.over, told.live)]
    fixed = ("/calls", "/live", "/health", "/budget")
    width, height = SIZES[scheme]
    page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    complaints = listen(page)
    await sign_in(page, bench)
    for path in (*fixed, *LISTS, *NEW, *await things(bench), *calls):
        await page.goto(f"{bench.services.url}/console{path}", wait_until="load")
        if path == calls[0]:
            await page.wait_for_selector("#wave div")
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, (path, wide)
        assert complaints == [], path
        if pictures:
            name = (
                f"{scheme}-{re.sub('-?[0-9a-f]{8}-.*', '-one', path.strip('/').replace('/', '-'))}"
            )
            await page.screenshot(path=Path(pictures) / f"{name}.png", full_page=True)
        if scheme == "light" or path in (*fixed, *NEW[:1], *calls):  # the colours of all parts
            assert await faults_of(page) == [], path
            complaints.clear()  # axe's own: it copies styles


async def faults_of(page: Page) -> list[tuple[str, str, str]]:
    """What of a page some people cannot use."""
    result = await Axe().run(page)
    return [
        (fault["id"], node["html"][:200], node["failureSummary"])
        for fault in result.response["violations"]
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]


async def test_a_call_is_followed_hung_up_and_played(bench: Bench, browser: Browser) -> None:
    call_id = await answered(bench, "Maria", "followed.wav")
    page = await browser.new_page()
    complaints = listen(page)
    await sign_in(page, bench)
    await page.goto(f"{bench.services.url}/console/live")
    await page.click("text=+15551234567")
    await page.wait_for_selector("text=Hang up")
    now = time.time()
    await bench.store.calls.add_turn(call_id, Turn("person", "still <b>there</b>?", now, now + 1))
    await page.wait_for_selector("text=still <b>there</b>?")
    await page.click("text=Hang up")
    await page.wait_for_load_state()
    assert bench.asked == [f"{call_id}:hangup"]
    assert complaints == ["dialog: Hang up this call?"]
    record(bench.recordings / "followed.wav", 10)
    ended = Ended(time.time() + 20, NORMAL, "operator_hangup", recording_path="followed.wav")
    await bench.store.calls.record_ended(call_id, ended)
    await page.wait_for_selector("#wave div")  # the page came anew, with the recording
    for _ in range(10):  # until its script has come, which a busy machine takes its time for
        await page.click(".turn.agent .seek")
        with contextlib.suppress(NotSeenError):
            await page.wait_for_selector(".turn.agent.now", timeout=2_000)
            break
    else:
        pytest.fail("the turn that is heard is not shown as such")
    assert len(complaints) == 1


async def test_an_agent_is_checked_as_one_types(bench: Bench, browser: Browser) -> None:
    page = await browser.new_page()
    complaints = listen(page)
    await sign_in(page, bench)
    await page.goto(f"{bench.services.url}/console/new/agents")
    await page.fill("#i-name", "Ada")
    await page.fill("#i-voice--id", "nobody")
    await page.wait_for_selector("text=there is no voice 'nobody'")
    await page.fill("#i-voice--id", "en")
    await page.wait_for_selector("text=there is no voice 'nobody'", state="detached")
    await page.click("text=Save")
    await page.wait_for_selector("h1:has-text('Ada')")
    assert complaints == []
