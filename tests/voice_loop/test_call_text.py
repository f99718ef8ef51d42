"""Tool calls in words: whatever form models and servers write them in is done, and never said."""

# ruff: noqa: E501 - texts as they are sent

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_loop.call_text import read_calls
from voice_loop.clauses import Clause, ClauseSplitter, ToolCall
from voice_loop.reasoning import Retracted

NAMES = ("book_visit", "book", "end_call")
BOOK = ToolCall("book_visit", {"day": "monday"})

#: From chat templates, tool parsers and bug reports of llama.cpp, vLLM, SGLang, Ollama, LM Studio
#: and the models that they serve.
FORMS = [
    '<function=book_visit{"day": "monday"}</function>',
    '<function=book_visit{"day": "monday"}',
    '{"name": "book-visit", "arguments": {"day": "monday"}}',
    '<call>{"name": "book_visit", "arguments": {"day": "monday"}}</call>',
    '<tool_call>{"name": "book_visit", "arguments": {"day": "monday"}}\n<tool_call>',
    'Function call: {"name": "book_visit", "arguments": {"day": "monday"}}',
    'book_visit: {"day": "monday"}',
    '<|python_tag|>{"name": "book_visit", "parameters": {"day": "monday"}};',
    "[book_visit(day='monday')]<|eot_id|>",
    '{"name":"book_visit","arguments":"{\\"day\\": \\"monday\\"}"}',
    '{"name": "book_visit", "arguments": {"day": "monday"}}',
    '{"name": "book_visit", "parameters": {"day": "monday"}}',
    '```json\n{"name": "book_visit", "arguments": {"day": "monday"}}\n```',
    '```\n{"name": "book_visit", "arguments": {"day": "monday"}}\n```',
    '```tool_call\n{"name": "book_visit", "arguments": {"day": "monday"}}\n```',
    '[{"name": "book_visit", "arguments": {"day": "monday"}}]',
    '[TOOL_CALLS][{"name": "book_visit", "arguments": {"day": "monday"}}]',
    '[TOOL_CALLS]book_visit[ARGS]{"day": "monday"}',
    '[TOOL_CALLS]book_visit[CALL_ID]x1y2z3abc[ARGS]{"day": "monday"}',
    '[TOOL_CALLS]book_visit{"day": "monday"}',
    '[TOOL_REQUEST]{"name": "book_visit", "arguments": {"day": "monday"}}[END_TOOL_REQUEST]',
    '<tool_call>\n{"name": "book_visit", "arguments": {"day": "monday"}}\n</tool_call>',
    '<tool_call>{"name": "book_visit", "arguments": {"day": "monday"}}',
    '<tool_call>[{"name": "book_visit", "arguments": {"day": "monday"}}]</tool_call>',
    '<|tool_call|>[{"name": "book_visit", "arguments": {"day": "monday"}}]',
    '<|tool_call|>[{"name": "book_visit", "arguments": {"day": "monday"}}]<|/tool_call|>',
    '<|tool_call|>{"name": "book_visit", "arguments": {"day": "monday"}}<|/tool_call|>',
    '<function_call>{"name": "book_visit", "arguments": {"day": "monday"}}</function_call>',
    '<functioncall> {"name": "book_visit", "arguments": {"day": "monday"}} </functioncall>',
    '<tools>{"name": "book_visit", "arguments": {"day": "monday"}}</tools>',
    '<TOOLCALL>[{"name": "book_visit", "arguments": {"day": "monday"}}]</TOOLCALL>',
    '<tool_calls>[{"name": "book_visit", "arguments": {"day": "monday"}}]</tool_calls>',
    '<function_call> {"name": "book_visit", "arguments": {"day": "monday"}}',
    '<function=book_visit>{"day": "monday"}</function>',
    '<function=book_visit>{"day": "monday"}',
    "<function=book_visit>\n<parameter=day>\nmonday\n</parameter>\n</function>",
    "<tool_call>\n<function=book_visit>\n<parameter=day>\nmonday\n</parameter>\n</function>\n</tool_call>",
    "<tool_call>\n<function=book_visit>\n<parameter=day>\nmonday\n",
    '<invoke name="book_visit"><parameter name="day">monday</parameter></invoke>',
    '<function_calls><invoke name="book_visit">\n<parameter name="day">monday</parameter>\n</invoke></function_calls>',
    '<minimax:tool_call>\n<invoke name="book_visit">\n<parameter name="day">monday</parameter>\n</invoke>\n</minimax:tool_call>',
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="book_visit">\n<｜DSML｜parameter name="day" string="true">monday</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
    "<seed:tool_call>\n<function=book_visit>\n<parameter=day>monday</parameter>\n</function>\n</seed:tool_call>",
    "<tool_call>book_visit\n<arg_key>day</arg_key>\n<arg_value>monday</arg_value>\n</tool_call>",
    '<|python_tag|>{"name": "book_visit", "parameters": {"day": "monday"}}',
    '<|python_tag|>{"type": "function", "name": "book_visit", "parameters": {"day": "monday"}}<|eom_id|>',
    '<|python_tag|>book_visit(day="monday")',
    '<|python_tag|>book_visit.call(day="monday")',
    'book_visit(day="monday")',
    '[book_visit(day="monday")]',
    '```tool_code\nbook_visit(day="monday")\n```',
    '```tool_code\nprint(book_visit(day="monday"))\n```',
    '```python\ndefault_api.book_visit(day="monday")\n```',
    """print(default_api.book_visit(day='monday'))""",
    'functions.book_visit({"day": "monday"})',
    'book_visit({day: "monday"})',
    '<|tool_call_start|>[book_visit(day="monday")]<|tool_call_end|>',
    '<function_calls>\nbook_visit(day="monday")\n</function_calls>',
    '<|tool_call>call:book_visit{day:<|"|>monday<|"|>}<tool_call|>',
    "<start_function_call>call:book_visit{day:<escape>monday<escape>}<end_function_call>",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>book_visit\n```json\n{"day": "monday"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>book_visit<｜tool▁sep｜>{"day": "monday"}<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.book_visit:0<|tool_call_argument_begin|>{"day": "monday"}<|tool_call_end|><|tool_calls_section_end|>',
    '>>>book_visit\n{"day": "monday"}',
    'book_visit\n{"day": "monday"}',
    '<|recipient|> book_visit\n<|content|> {"day": "monday"}',
    'functools[{"name": "book_visit", "arguments": {"day": "monday"}}]',
    'Action: book_visit\nAction Input: {"day": "monday"}',
    'Action: ```json\n[{"tool_name": "book_visit", "parameters": {"day": "monday"}}]\n```',
    '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "book_visit", "parameters": {"day": "monday"}}]<|END_ACTION|>',
    '<|action_start|><|plugin|>{"name": "book_visit", "arguments": {"day": "monday"}}<|action_end|>',
    '<|channel|>commentary to=functions.book_visit <|constrain|>json<|message|>{"day": "monday"}<|call|>',
    '{"type": "function", "function": {"name": "book_visit", "arguments": "{\\"day\\": \\"monday\\"}"}}',
    '{"tool_calls": [{"function": {"name": "book_visit", "arguments": {"day": "monday"}}}]}',
    '{"function": "book_visit", "args": {"day": "monday"}}',
    '{"tool": "book_visit", "input": {"day": "monday"}}',
    '{"action": "book_visit", "action_input": {"day": "monday"}}',
    '{"book_visit": {"day": "monday"}}',
    '{"name": "book_visit", "day": "monday"}',
    """{'name': 'book_visit', 'arguments': {'day': 'monday'}}""",
    '{"name": "book_visit", "arguments": {"day": "monday",},}',
    '{"name": "book_visit", "arguments": {"day": "monday"}',
    '{name: "book_visit", arguments: {day: "monday"}}',
    '{"function_call": {"name": "book_visit", "arguments": "{\\"day\\": \\"monday\\"}"}}',
    '<book_visit day="monday"/>',
    "<book_visit><day>monday</day></book_visit>",
    '<tool_use><name>book_visit</name><arguments>{"day": "monday"}</arguments></tool_use>',
    "<use_tool><tool_name>book_visit</tool_name><day>monday</day></use_tool>",
    '{"recipient_name": "functions.book_visit", "parameters": {"day": "monday"}}',
    '<tool name="book_visit">{"day": "monday"}</tool>',
    'Tool call: book_visit {"day": "monday"}',
    '**book_visit(day="monday")**',
    '`book_visit(day="monday")`',
    '<tool_call>{"name": "functions.book_visit", "arguments": {"day": "monday"}}</tool_call>',
    '<tool_code>\nbook_visit(day="monday")\n</tool_code>',
    '[tool_call: book_visit(day="monday")]',
    '<|tool▁calls▁begin|><|tool▁call▁begin|>function<|tool▁sep|>book_visit\n```json\n{"day": "monday"}\n```<|tool▁call▁end|><|tool▁calls▁end|>',
]
ENDS = [
    "[end call]",
    "[END CALL]",
    "(end call)",
    "*end call*",
    "end_call: {}",
    "Action: end_call()",
    "Action: end_call[]",
    "**Tool Call:** `end_call`",
    'tool_calls: [{"name": "end_call", "arguments": {}}]',
    "<call>end_call</call>",
    "<execute>end_call()</execute>",
    "<tool>end_call</tool>",
    "<function=end_call{}</function>",
    "<|tool_call|>end_call()",
    "```tool_call\nend_call\n```",
    '```xml\n<tool_call>{"name": "end_call"}</tool_call>\n```',
    '<tool_calls>\n<tool_call>{"name": "end_call"}</tool_call>\n</tool_calls>',
    "end_call",
    "end_call()",
    "end_call.",
    "[end_call]",
    "(end_call)",
    "*end_call*",
    "`end_call`",
    "`end_call()`",
    "<end_call>",
    "<end_call/>",
    "{end_call}",
    "<tool_call>end_call</tool_call>",
    "<function=end_call></function>",
    "<function=end_call>",
    '{"name": "end_call"}',
    '{"name": "end_call", "arguments": {}}',
    '{"name": "end_call", "arguments": null}',
    '{"name": "end_call", "arguments": ""}',
    '{"name": "end_call", "arguments": {}',
    '{"name": "end_call", "arguments": {',
    '{"end_call": {}}',
    '{"tool": "end_call"}',
    "end_call(",
    "end_call{}",
    "[TOOL_CALLS]end_call{}",
    '[TOOL_CALLS][{"name": "end_call", "arguments": {}}]',
    "functions.end_call()",
    "call end_call()",
    "<function_calls>\nend_call\n</function_calls>",
    "```\nend_call()\n```",
    '```json\n{"name": "end_call", "arguments": {}}',
    "/end_call",
    "<|python_tag|>end_call()",
    "Tool call: end_call",
    "END_CALL",
    '<tool_call>{"name": "end_call", "arguments": {}}</tool_call>',
    '{"action": "end_call"}',
    '[{"name": "end_call", "arguments": {}}]',
    "end_call({})",
    'end_call(reason="done, thanks.")',
    '{"name": "end-call", "arguments": {}}',
    '{"type":"function","name":"end_call","parameters":{}}',
    '<invoke name="end_call"></invoke>',
    "[end_call()]",
    "<|tool_call>call:end_call{}<tool_call|>",
]
#: Looks like a call and is none.
WORDS = {
    "Say {name} and [laughs] or [your name].": ["Say name and laughs or your name ."],
    "Use the book (the big one) now.": ["Use the book (the big one) now."],
    "The book [1] is here. Well [pause] yes.": ["The book 1 is here.", "Well pause yes."],
    "We can end call now": ["We can end call now"],
    "The action: wait and see. Ok": ["The action: wait and see.", "Ok"],
    "Tool: a hammer is fine. yes": ["Tool: a hammer is fine.", "yes"],
    "Hello <recipient_name>, how are you? Ok": ["Hello , how are you?", "Ok"],
    "Write to <callcenter@example.com>. Anything else?": [
        "Write to callcenter@example.com.",
        "Anything else?",
    ],
    "We call back. <callback number> is right? Fine.": ["We call back.", "is right?", "Fine."],
    "Thank you <action>smiles</action> bye.": ["Thank you smiles bye."],
    "The tool: book_visit is broken. What else?": ["The tool: book_visit is broken.", "What else?"],
    "My suggested action: book a table. Ok?": ["My suggested action: book a table.", "Ok?"],
    "My suggested action: book.": ["My suggested action: book."],
    "[tools] are what we sell. Next.": ["tools are what we sell.", "Next."],
    "The book(s) you want. Yes": ["The book(s) you want.", "Yes"],
    "a < b and c > d": ["a < b and c > d"],
    "I love it <3 you": ["I love it you"],
    "see you at 4 p.m": ["see you at 4 p.m"],
    "```Hello, how are you?```": ["Hello, how are you?"],
    "Yes. ```Monday works.``` Ok": ["Yes.", "Monday works.", "Ok"],
    "```So, it is\nMonday.\n```": ["So, it is", "Monday."],
    "```\nMonday works.\n```": ["Monday works."],
}
#: For no ear, and nothing to do either.
NOTHING = [
    '{"answer": "Monday"}',
    '```json\n{"day": "monday"}\n```',
    "```python\nprint(1)\n```",
    "```python print(1)```",
    "```json```",
    "<tool_response>booked</tool_response>",
    "</tool_call>",
    "\N{GRINNING FACE}",
    "...",
]

Parts = list[Clause | ToolCall]


def split(*pieces: str) -> Parts:
    splitter = ClauseSplitter(NAMES)
    parts: Parts = []
    for part in [part for piece in pieces for part in splitter.push(piece)]:
        assert not isinstance(part, Retracted)
        parts.append(part)
    for part in splitter.close():
        assert not isinstance(part, Retracted)
        parts.append(part)
    return parts


def assert_split(text: str, wanted: Parts) -> None:
    assert split(text) == wanted
    assert split(*text) == wanted, "character by character"
    for cut in range(1, len(text), 3):
        assert split(text[:cut], text[cut:]) == wanted, f"cut at {cut}"


@pytest.mark.parametrize("form", FORMS)
def test_a_call_in_any_form_is_done(form: str) -> None:
    assert_split(form, [BOOK])
    assert_split(f"One moment. {form}", [Clause("One moment."), BOOK])


@pytest.mark.parametrize("form", ENDS)
def test_the_end_of_the_call_in_any_form_is_done(form: str) -> None:
    for words in ("Goodbye. ", "Goodbye.\n\n", "Goodbye."):
        said, call = split(words + form)
        assert said == Clause("Goodbye.")
        assert isinstance(call, ToolCall)
        assert call.name == "end_call"
        assert_split(words + form, [said, call])


@pytest.mark.parametrize("form", [form for form in FORMS if form[0] in "<[{`>"])
def test_a_call_that_is_cut_off_is_never_said(form: str) -> None:
    for cut in range(3, len(form)):
        said = [part for part in split("One moment. " + form[:cut]) if isinstance(part, Clause)]
        assert [clause for clause in said if len(clause.text) > 4] == [Clause("One moment.")]


@pytest.mark.parametrize("key", ["name", "tool", "function", "action"])
@pytest.mark.parametrize("given", ["Ana", "book"])
@pytest.mark.parametrize(
    "form",
    [
        "[TOOL_CALLS]book_visit[ARGS]%s",
        "[TOOL_CALLS]book_visit%s",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>book_visit\n```json\n%s\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "<|tool_call_begin|>functions.book_visit:0<|tool_call_argument_begin|>%s<|tool_call_end|>",
        "<tool_call>book_visit\n%s</tool_call>",
        "book_visit: %s",
        "Action: book_visit\nAction Input: %s",
        '{"name": "book_visit", "arguments": %s, "x": oops}',
        "<function=book_visit>%s</function>",
    ],
)
def test_an_argument_may_be_called_as_what_names_a_tool(form: str, given: str, key: str) -> None:
    arguments = {key: given, "id": 5}
    call = ToolCall("book_visit", arguments)
    assert_split(form.replace("%s", json.dumps(arguments)), [call])


@pytest.mark.parametrize("name", ["Customer Email", "prénom", "1st choice", "ok?"])
def test_a_parameter_may_have_a_name_in_any_words(name: str) -> None:
    call = ToolCall("book_visit", {name: "monday"})
    told = json.dumps({name: "monday"}, ensure_ascii=False)
    for form in (
        f'<tool_call>{{"name": "book_visit", "arguments": {told}}}</tool_call>',
        f"<function=book_visit><parameter={name}>\nmonday\n</parameter></function>",
        f'<invoke name="book_visit"><parameter name="{name}" type="string">monday</parameter></invoke>',
        f"<tool_call>book_visit\n<arg_key>{name}</arg_key><arg_value>monday</arg_value></tool_call>",
        f"book_visit(**{told})",
    ):
        assert_split(form, [call])


def test_a_name_is_not_told_twice() -> None:
    for call in (
        '{"name": "book_visit", "arguments": {"day": "monday"}}',
        '{"name": "book_visit", "day": "monday"}',
    ):
        assert_split(f"<tool_call>book_visit\n{call}</tool_call>", [BOOK])
        assert_split(f"Tool call: book_visit {call}", [BOOK])
    assert_split(
        '<tool_call>book {"name": "book_visit", "parameters": {"day": "monday"}}</tool_call>',
        [BOOK],
    )


def test_what_may_have_gone_on_is_malformed() -> None:
    for text in (
        '{"name": "book_visit", "arguments": {"day": "mon',
        '<tool_call>{"name": "book_visit", "arguments": {"day": 1',
    ):
        assert split(text) == [ToolCall("book_visit", text)]
    assert split('book_visit(day="mon') == [ToolCall("book_visit", 'day="mon')]


@pytest.mark.parametrize(
    "value",
    [
        "...",
        "{1, 2}",
        'b"a"',
        "1j",
        "1e999",
        '"\\x00"',
        r'"\ud800"',
        "[...]",
        '{b"a": 1}',
        "(1e999,)",
    ],
)
def test_a_call_with_what_json_cannot_say_is_malformed(value: str) -> None:
    for text in (f"book_visit(day={value})", f"[book_visit(day={value})]"):
        (call,) = split(text)
        assert_split(text, [call])
        assert isinstance(call, ToolCall)
        assert isinstance(call.arguments, str)
        assert call.name == "book_visit"
        assert f"day={value}" in call.arguments
    assert_split(f"end_call(reason={value})", [ToolCall("end_call")])


def test_a_call_in_tags_with_what_json_cannot_say_is_malformed() -> None:
    for value in ("\0a", "\ud800"):
        for form in (
            f"<function=book_visit><parameter=day>{value}</function>",
            f'<book_visit day="{value}"/>',
        ):
            assert read_calls(form, "tag", frozenset(NAMES)) == [("book_visit", form)]


@pytest.mark.rows("RV-522", "RV-550")
@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        (
            '<tool_call>{"name": "book_visit", "arguments": "monday"}</tool_call>',
            "book_visit",
            "monday",
        ),
        ('<tool_call>{"name": "book_visit", "arguments": [1]}</tool_call>', "book_visit", "[1]"),
        ('<tool_call>{"name": "book_visit", "arguments": 3}</tool_call>', "book_visit", "3"),
        ('<tool_call>{"name": "fly", "arguments": "to"}</tool_call>', "fly", "to"),
        ("<tool_call>book it</tool_call>", "book", "<tool_call>book it</tool_call>"),
        ("<tool_call>oh</tool_call>", "", "<tool_call>oh</tool_call>"),
    ],
)
def test_a_call_that_cannot_be_read_is_told_as_it_was_written(
    text: str, name: str, arguments: str
) -> None:
    assert_split(text, [ToolCall(name, arguments)])


def test_the_call_is_ended_whatever_its_arguments_are() -> None:
    for arguments in ('"now"', "[1]", "3"):
        text = f'<tool_call>{{"name": "end_call", "arguments": {arguments}}}</tool_call>'
        assert_split(text, [ToolCall("end_call")])


@pytest.mark.parametrize("text", WORDS)
def test_words_stay_words(text: str) -> None:
    assert_split(text, [Clause(said) for said in WORDS[text]])


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_neither_is_passed_over(text: str) -> None:
    assert_split(text, [])
    assert_split(f"Yes. {text}", [Clause("Yes.")])


def test_several_calls_come_in_order() -> None:
    other = ToolCall("book", {})
    assert_split(
        '[TOOL_CALLS][{"name": "book_visit", "arguments": {"day": "monday"}}, {"name": "book"}]',
        [BOOK, other],
    )
    assert_split('[book_visit(day="monday"), book()]', [BOOK, other])


FRAGMENTS = st.sampled_from(
    [*"<>{}[]()`\"':., \n", "end_call", "book", "functions.", "```", "tool", "|", "=", "a", "call ",
     "<tool_call>", "</tool_call>", "name", "Action: ", "<think>", "</think>"]
)  # fmt: skip


@settings(derandomize=True, max_examples=300)
@given(st.lists(FRAGMENTS, max_size=30))
def test_any_text_comes_out_the_same_however_it_is_cut(fragments: list[str]) -> None:
    def parts(pieces: list[str]) -> list[object]:
        splitter = ClauseSplitter(NAMES)
        found: list[object] = []
        for part in [*(p for piece in pieces for p in splitter.push(piece)), *splitter.close()]:
            if isinstance(part, Retracted):
                found.clear()
            else:
                found.append(part)
        return found

    text = "".join(fragments)
    assert parts([text]) == parts(fragments) == parts(list(text))
