"""CSV in and out at the console, as the API has it: what a spreadsheet would run is text."""

import csv
import io

from tests.api.conftest import Bench
from tests.api.console.people import Person, token_of
from tests.api.console.story import tell
from tests.api.story import new_call

FORMULA = '=HYPERLINK("http://evil.example";"x")'


async def upload(person: Person, path: str, page: str, text: str, partial: str = "false") -> str:
    data = {"csrf": token_of(await person.open(page)), "partial": partial}
    answer = await person.client.post(
        f"/console{path}", data=data, files={"file": ("numbers.csv", text.encode(), "text/csv")}
    )
    assert answer.status_code in (200, 422), answer.text
    return answer.text


async def test_calls_are_a_file_of_what_was_searched(bench: Bench, operator: Person) -> None:
    told = await tell(bench, FORMULA)
    answer = await operator.client.get("/console/calls.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="calls.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {told.over, told.live, told.busy} < {row["id"] for row in rows}
    (over,) = [row for row in rows if row["id"] == told.over]
    assert (over["status"], over["sip_call_id"][:1]) == ("completed", "a")
    (live,) = [row for row in rows if row["id"] == told.live]
    assert live["sip_call_id"] == f"'{FORMULA}"
    some = await operator.client.get("/console/calls.csv?status=busy&to_number=")
    assert [row["status"] for row in csv.DictReader(io.StringIO(some.text))] == ["busy"]


async def test_the_file_has_every_page_of_the_list(bench: Bench, operator: Person) -> None:
    for _ in range(205):
        await new_call(bench.store)
    answer = await operator.client.get("/console/calls.csv")
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 205


async def test_a_wrong_search_is_said(operator: Person) -> None:
    html = await operator.open("/calls?status=nobody%3Cscript%3E", 422)
    assert "must be one of" in html
    await operator.open("/calls?cursor=x", 422)
    await operator.open("/calls?unknown=1", 422)


async def test_a_list_goes_in_and_out(bench: Bench, operator: Person) -> None:
    text = f'number,reason\r\n+15550100001,"{FORMULA.replace(chr(34), chr(34) * 2)}"\r\nx,y\r\n'
    wrong = await upload(operator, "/import/do-not-call", "/do-not-call", text)
    assert "line 3" in wrong
    assert (await bench.client.get("/v1/do_not_call")).json()["data"] == []
    taken = await upload(operator, "/import/do-not-call", "/do-not-call", text, "true")
    assert "Line 3" in taken
    out = await operator.client.get("/console/export/do-not-call")
    assert f"+15550100001,\"'{FORMULA.replace(chr(34), chr(34) * 2)}" in out.text


async def test_contacts_go_into_a_campaign_and_results_come_out(
    bench: Bench, operator: Person
) -> None:
    told = await tell(bench, "Maria")
    path = f"/import/campaigns/{told.campaign}"
    page = f"/campaigns/{told.campaign}"
    await upload(
        operator, path, page, f"to,patient\r\n+15550100077,'{FORMULA.split(';', maxsplit=1)[0]}\r\n"
    )
    assert "+15550100077" in await operator.open(page)
    out = await operator.client.get(f"/console/export{page}")
    assert "context.patient" in out.text.splitlines()[0]


async def test_a_reader_takes_files_and_brings_none(bench: Bench, reader: Person) -> None:
    await tell(bench, "Maria")
    assert (await reader.client.get("/console/export/do-not-call")).status_code == 200
    html = await reader.open("/do-not-call")
    assert "Import" not in html
    data = {"csrf": token_of(html)}
    answer = await reader.client.post(
        "/console/import/do-not-call", data=data, files={"file": ("n.csv", b"+15550100001")}
    )
    assert answer.status_code == 403


async def test_what_is_too_large_or_no_form_is_refused(operator: Person) -> None:
    for content, kind, status in (
        (b"x" * 1_200_000, "application/x-www-form-urlencoded", 413),
        (b"a=" + b"\xff", "application/x-www-form-urlencoded", 400),
        (b"nonsense", "multipart/form-data", 400),
        (b"&".join(b"a=1" for _ in range(1500)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 403),
    ):
        answer = await operator.client.post(
            "/console/new/trunks", content=content, headers={"Content-Type": kind}
        )
        assert answer.status_code == status, (kind, answer.text)
