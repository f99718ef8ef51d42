"""Tool calls in what language models write, in all the forms that they are trained to.

Servers should tell calls apart from words, and often do not. Two steps: where in a growing text
something begins and ends that is not for the ear (`Openers`), and which calls it is (`read_calls`).
"""

import ast
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from voice_loop.lenient_json import Bracket, closing, read, values
from voice_loop.tools import END_CALL_TOOL
from voice_loop.untrusted import read_json

Call = tuple[str, dict[str, Any] | str]
"""A tool's name and its arguments. What cannot be read is the text that was written, with the name
where that is known."""

Kind = Literal["tag", "bracket", "fence", "rest"]

#: A tag, to its end; and one at the end of a text that has none yet.
_MOST_TAG: Final = 250
_TAG: Final = (
    r"<(?:(?P<piped>[|｜])|)(?:[\w-]{1,20}:)?(?P<base>[｜\w▁]{0,30}"
    # Words such as `<callback number>` stand for what is to be filled in.
    r"(?:tool|func|invoke|python_tag|call(?=s?(?![^\W_]))|execute|DSML|(?(piped)(?:recipient|action)|(?!)))"
    r"[^<>\s=/|｜@]{0,40})(?=[\s=/|｜>])[^<>]{0,120}>"
    # Models forget its end.
    r"|<(?P<open>function|tool|invoke)[=:]\s{0,4}[\"']?[\w.-]{1,64}[\"']?\s{0,4}(?=\{)"
)
_NEVER: Final = r"(?!)"
_FENCE: Final = "```"
_OURS: Final = r"(?:(?:functions|default_api|tools?|api|assistant)\.)?"
_LABEL: Final = r"\b(?:action|tool|function)(?:[ _](?:calls?|name|input|use))?:[\s`*\"]{0,8}"
#: What tells that the name behind a label is no word of a sentence.
_GIVEN: Final = (
    r"(?=[`*\"]{0,4}\s{0,4}(?:[\[({]|```|\n\s{0,4}(?:action|tool|function|input|arg|param)))"
)
_ENDED: Final = r"(?=[`*\"]{0,4}[.;]?[`*\"]{0,4}\s{0,4}(?:\n|\Z))"
_RESPONSE: Final = re.compile(r"<[|｜]?/?\w*_?(?:response|result|output)", re.IGNORECASE)

_NAME_KEYS: Final = (
    "name",
    "tool_name",
    "function_name",
    "tool",
    "function",
    "action",
    "recipient_name",
)
_ARGUMENT_KEYS: Final = (
    "arguments", "parameters", "args", "params", "input", "action_input", "tool_input",
    "tool_arguments", "tool_args", "kwargs",
)  # fmt: skip
_WRAPPERS: Final = (
    "tool_calls",
    "tool_call",
    "function_call",
    "function_calls",
    "function",
    "calls",
)
#: Keys that say nothing of what is to be done.
_LABELS: Final = frozenset({"id", "type", "index", "call_id", "tool_call_id"})
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][\w.-]*")
#: Words beside a call that are not its name.
_JUNK: Final = re.compile(
    r"json|python|tool_code|args|call_?id|call|\w*function\w*|functools|tools?|type|content"
    r"|recipient|python_tag|plugin|(?:\w*tool\w*call\w*)|action(?:_input)?|input|arguments"
    r"|parameters|to",
    re.IGNORECASE,
)
_FUNCTION: Final = re.compile(
    r"<(?:[\w-]+:|｜DSML｜)?(?:function|invoke)(?:=|\s+name\s*=\s*)[\"']?([\w.:-]+)[\"']?(?:[^<>{]*>|\s*(?=\{))"
    r"(.*?)(?=</?(?:[\w-]+:|｜DSML｜)?(?:function|invoke)\b|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_PARAMETER: Final = re.compile(
    r"<(?:[\w-]+:|｜DSML｜)?(?:parameter|arg|param)(?:=|\s+name\s*=\s*)[\"']?([^\"'<>]{1,128}?)"
    r"(?:[\"'][^<>]{0,200}|\s+\w+=[^<>]{0,200}|\s*)>"
    r"(.*?)(?=</?(?:[\w-]+:|｜DSML｜)?(?:parameter|arg|param|function|invoke)\b|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_ARG_PAIR: Final = re.compile(
    r"<arg_key>\s*([^<>]*?)\s*</arg_key>\s*<arg_value>((?:(?!<arg_key>).)*?)</arg_value>", re.DOTALL
)
_CHILD: Final = re.compile(r"<(\w+)>([^<>]*)</\1>")
_ATTRIBUTE: Final = re.compile(r"(\w+)\s*=\s*\"([^\"]*)\"")
_AROUND_NAME: Final = re.compile(
    r"^(?:functions|default_api|tools?|api|call)[.:]|(?::\d+|<[|｜].*)$"
)
_QUOTED: Final = re.compile(r"<escape>|<\|\"\|>")


@dataclass(frozen=True)
class Opener:
    """What begins something that is not for the ear."""

    start: int
    after: int
    """Index behind the part that tells."""
    kind: Kind
    base: str = ""
    """A tag's name."""


class Openers:
    """Finds openers; `names` are those of the tools there are."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = frozenset(names)
        known = _either(self.names)
        # A name that is no word of any language needs less beside it.
        coined = _either(name for name in self.names if "_" in name)
        spaced = known.replace("_", "[ _-]")
        self._whole = re.compile(
            rf"(?P<tag>{_TAG}|<(?P<own>{known})\b[^<>]{{0,120}}>)"
            rf"|(?P<fence>{_FENCE})"
            rf"|(?P<rest>(?-i:\[/?[A-Z_]*TOOL[A-Z_]*\])|>>>\s{{0,20}}(?:{known})\b"
            rf"|{_LABEL}(?:{_OURS}(?:(?:{known})\b{_GIVEN}|(?:{coined})\b{_ENDED})|{_FENCE}|[\[{{]\s{{0,20}}[{{\"]))"
            rf"|(?P<bracket>\{{\s{{0,20}}(?:[\"'}}]|\w{{1,40}}\s{{0,4}}:|(?:{known})\s*\}})"
            rf"|\[\s{{0,20}}(?:\{{|(?:{spaced})\s*\]|(?:{known})\s*\("
            r"|(?:tool|function)[_ ]?(?:call|use)\w*"
            r"|[a-z]\w{0,40}(?:\.\w{1,20})?\()"
            r"|\bfunctools\s{0,2}\["
            rf"|(?<!\w)(?:print\()?(?:call\s{{1,20}})?{_OURS}(?:(?:{known})\((?!e?s\))|(?:{coined})\s{{0,2}}\("
            rf"|(?:{known})[\s:=]{{0,4}}(?:json)?\s{{0,4}}\{{))",
            re.IGNORECASE,
        )
        prefixes = "|".join(map(_prefixes, sorted(self.names))) or _NEVER
        self._begun = re.compile(
            rf"(?:<(?:[|｜/A-Za-z_▁][^<>]{{0,{_MOST_TAG}}})?|\{{\s{{0,20}}\w{{0,40}}\s{{0,4}}"
            r"|\[\s{0,20}[/\w. -]{0,60}\s?|`{1,2}|>{1,2}|>>>\s{0,20}\w{0,64}|\bfunctools\s{0,2}"
            r"|(?<!\w)(?:print\()?call\s{1,20}"
            # The last word may go on.
            r"|(?<!\w)[A-Za-z_][\w.(]{0,200}"
            r"|\b(?:action|tool|function)(?:[ _][a-z]{0,6})?:?[\s`*\"]{0,12}[\w.\[{]{0,100}"
            r"[`*\".;]{0,9}\s{0,20}(?:\n\s{0,4}\w{0,12})?"
            rf"|(?<!\w)(?:print\()?(?:call\s{{1,20}})?{_OURS}(?:{prefixes})[\s:=]{{0,4}}"
            r"(?:j|js|jso|json)?\s{0,4})\Z",
            re.IGNORECASE,
        )
        self._cut_off = re.compile(
            r"[<{\[]|>>>|(?:print\()?(?:functions|default_api)\.[\w(]+\Z"
            # Only what has a `_` is no word; in an address, that is one, too.
            rf"|(?<![/@.-])(?:print\()?(?:call\s{{1,20}})?{_OURS}(?=\w*_)(?:{prefixes})\Z"
            rf"|{_LABEL}{_OURS}(?:{prefixes})?\Z",
            re.IGNORECASE,
        )
        self._statement = re.compile(
            rf"(?:(?:\A|(?<=[.!?…]))[\s*_`(\[<{{/\"'-]*(?:(?:tool )?call(?:ing)?:?\s+)?{_OURS}"
            rf"(?P<name>{coined})|(?<=\s)[*_`(/\"']*{END_CALL_TOOL}"
            r"|[\[(*<{]{1,2}\s*end[ _-]?call\s*[\])*>}])"
            r"[\s)\]>}*_`.!;\"'/-]*\Z",
            re.IGNORECASE,
        )

    def next(self, text: str, begin: int = 0) -> Opener | None:
        """Find the first whole opener at or after `begin`."""
        found = self._whole.search(text, begin)
        if found is None:
            return None
        kind = found.lastgroup
        base = found["base"] or found["open"] or found["own"] or ""
        if found["tag"] is not None:
            return Opener(found.start(), found.end(), "tag", base)
        whole: Kind = "fence" if kind == "fence" else "rest" if kind == "rest" else "bracket"
        return Opener(found.start(), found.end(), whole)

    def begun(self, text: str, begin: int = 0) -> int | None:
        """Find where an opener may begin, at or after `begin`, that is not whole yet."""
        found = self._begun.search(text, begin)
        return None if found is None else found.start()

    def cut_off(self, text: str) -> int | None:
        """Find where the end of a reply is no word, but an opener that was cut off."""
        begun = self.begun(text)
        return begun if begun is not None and self._cut_off.match(text, begun) else None

    def statement(self, clause: str) -> tuple[int, str] | None:
        """Where a tool's mere name stands as a sentence of its own, and which; None if nowhere."""
        found = self._statement.search(clause)
        if found is None:
            return None
        named = (found["name"] or END_CALL_TOOL).lower()
        return found.start(), next(one for one in self.names if one.lower() == named)


@lru_cache(maxsize=64)
def openers(names: frozenset[str]) -> Openers:
    """Give the openers of calls of these tools."""
    return Openers(names)


class Ending:
    """Looks for the end of what an opener began, in a text that begins with it and grows."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self._after = opener.after - opener.start
        self._looked = self._after
        self._bracket = Bracket(0)

    def find(self, text: str) -> int | None:
        """Index after the end; None while there is none. Each `text` goes on the one before."""
        # An end may have begun in what was looked at.
        begin, self._looked = max(self._after, self._looked - _MOST_TAG), len(text)
        match self.opener.kind:
            case "tag" if text[: self._after].endswith("/>"):
                return self._after
            case "tag":
                closer = _closer(self.opener.base).search(text, begin)
                return None if closer is None else closer.end()
            case "bracket":
                return self._bracket.end(text)
            case "fence":
                at = text.find(_FENCE, begin)
                return None if at < 0 else at + len(_FENCE)
            case "rest":
                return None


@lru_cache(maxsize=256)
def _closer(base: str) -> re.Pattern[str]:
    """What ends a tag of this name."""
    forms = {base}
    for begin, end in (("begin", "end"), ("start", "end")):
        if begin in base:
            forms.add(base.replace(begin, end))
    names = "|".join(map(re.escape, sorted(forms)))
    ends = "|".join(map(re.escape, sorted(forms - {base}))) or _NEVER
    return re.compile(
        rf"<[|｜]?/(?:[\w-]+:)?(?:{names})\s{{0,20}}[|｜]?>|<(?:{names})\|>|<[|｜]?(?:{ends})[|｜]?>"
        rf"|<[|｜]?END_(?:{names}|ACTION)[|｜]?>|<[|｜](?:{names})_end[|｜]>",
        re.IGNORECASE,
    )


def spoken_in_fence(text: str) -> str | None:
    """The words in a fence that holds nothing else; None where it holds code."""
    inner = text.removeprefix(_FENCE).removesuffix(_FENCE)
    label, _, body = inner.partition("\n")
    if re.search(r"\w[\s.,!?]", label.strip()) and not re.search(r"\w\(|[={}<>;]", label):
        # No label: words on the fence's own line.
        return inner
    if label.strip().lower() not in {"", "text", "plaintext", "markdown", "md", "txt"}:
        return None
    return None if re.match(r"\s*[{\[<]", body) else body


def read_calls(text: str, kind: Kind, names: frozenset[str]) -> list[Call]:
    """The calls in what an opener began.

    Args:
        text: from the opener to its end.
        kind: the opener's.
        names: of the tools there are.
    """
    marked = kind in ("tag", "rest")
    text = _QUOTED.sub('"', text)
    calls = (
        _in_tags(text, names)
        or list(_in_json(text, names, marked=marked))
        or list(_in_code(text, names, marked=marked))
        or _alone(text, names)
    )
    if calls:
        return [_plain(_clean(name, names), arguments, text) for name, arguments in calls]
    if marked and _RESPONSE.match(text) is None:
        return [(_named_in(text, names), text)]
    broken = kind != "fence" and any(f'"{name}"' in text for name in names)
    return [(_named_in(text, names), text)] if broken else []


def _plain(name: str, arguments: Mapping[str, Any] | str, text: str) -> Call:
    """A call with arguments that JSON can say: neither program text nor tags are held to that.

    Args:
        name: the tool's.
        arguments: as they were read.
        text: what they were read of.
    """
    if not isinstance(arguments, str):
        try:
            return name, read_json(json.dumps(arguments))
        except (ValueError, TypeError, RecursionError):
            arguments = text
    # The line can be hung up without them.
    return (name, {}) if name == END_CALL_TOOL else (name, arguments)


def _named_in(text: str, names: frozenset[str]) -> str:
    """The only one of the tools that a text names; empty if there is none."""
    named = {name for name in names - {END_CALL_TOOL} if re.search(rf"\b{re.escape(name)}\b", text)}
    return named.pop() if len(named) == 1 else ""


def _in_tags(text: str, names: frozenset[str]) -> list[Call]:
    calls: list[Call] = []
    for name, inner in _FUNCTION.findall(text):
        parameters = {key: _trimmed(value) for key, value in _PARAMETER.findall(inner)}
        calls.append((name, parameters or _object(inner)))
    if calls:
        return calls
    if pairs := _ARG_PAIR.findall(text):
        name = _IDENTIFIER.search(re.sub(r"<[^<>]*>", " ", text[: text.index("<arg_key>")]))
        return [(name[0] if name else "", {key: _trimmed(value) for key, value in pairs})]
    if named := re.search(r"<(?:tool_|function_)?name>\s*([\w.-]+)\s*</", text, re.IGNORECASE):
        inner = text[named.end() :]
        children = {key: value.strip() for key, value in _CHILD.findall(inner)}
        return [(named[1], _object(inner) or children)]
    for name in names:
        own = re.search(rf"<{re.escape(name)}\b([^<>]*)>", text)
        if own is not None:
            inner = text[own.end() :]
            told = dict(_ATTRIBUTE.findall(own[1])) | dict(_CHILD.findall(inner))
            return [(name, told or _object(inner))]
    return []


def _in_json(text: str, names: frozenset[str], *, marked: bool) -> Iterator[Call]:
    before = 0
    for start, end, value in values(text):
        found = list(_told(value, names, marked=marked))
        if isinstance(value, Mapping):
            name = _name_in(text[before:start], names, marked=marked)
            if name is not None and not (found and _is_own(found[0], value, name, names)):
                found = [(name, dict(value))]
        yield from found
        before = end


def _is_own(call: Call, value: Mapping[str, Any], before: str, names: frozenset[str]) -> bool:
    """Whether an object tells its call by itself: tools have arguments called `name`, too.

    Args:
        call: what it may tell.
        value: the object.
        before: the name in front of it.
        names: of the tools there are.
    """
    known, other = _clean(call[0], names), _clean(before, names)
    if other not in names or known == other:
        return True
    return known in names and (
        any(key in value for key in _ARGUMENT_KEYS)
        or any(isinstance(value.get(key), Mapping | list) for key in _WRAPPERS)
    )


def _told(value: Any, names: frozenset[str], *, marked: bool) -> Iterator[Call]:
    """Read the calls that a JSON value stands for."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _told(one, names, marked=marked)
        return
    if not isinstance(value, Mapping):
        return
    for wrapper in _WRAPPERS:
        if isinstance(value.get(wrapper), Mapping | list):
            yield from _told(value[wrapper], names, marked=marked)
            return
    name = next((value[key] for key in _NAME_KEYS if key in value), None)
    key = next((key for key in _ARGUMENT_KEYS if key in value), None)
    if isinstance(name, str):
        known = _clean(name, names) in names
        if key is not None and (known or marked or value.keys() & {"arguments", "parameters"}):
            yield _call(name, value[key])
        elif known or (marked and key is None):
            named = {*_LABELS, next(key for key in _NAME_KEYS if key in value)}
            yield name, {key: one for key, one in value.items() if key not in named}
    elif len(value) == 1 and (only := next(iter(value))) in names:
        yield _call(only, value[only] if isinstance(value[only], Mapping | str) else {})


def _call(name: str, given: Any) -> Call:
    """A call whose arguments may be in a text of their own, or missing."""
    if isinstance(given, str):
        try:
            given = read(given) if given.strip() else {}
        except ValueError:
            return name, given
    if given is None:
        given = {}
    return name, dict(given) if isinstance(given, Mapping) else json.dumps(given)


def _in_code(text: str, names: frozenset[str], *, marked: bool) -> Iterator[Call]:
    """Read calls that are written as program text."""
    at = 0
    for found in re.compile(r"(?<!\w)([A-Za-z_][\w.]{0,200})\s{0,2}\(").finditer(text):
        name = _clean(found[1].removesuffix(".call"), names)
        if found.start() < at or not (name in names or (marked and name not in {"print"})):
            continue
        end = closing(text, found.end() - 1)
        inner = text[found.end() : end - 1] if end is not None else text[found.end() :]
        at = end or len(text)
        arguments = _python_arguments(inner)
        if arguments is None and name == END_CALL_TOOL:
            arguments = {}
        yield name, inner if arguments is None else arguments


def _python_arguments(inner: str) -> dict[str, Any] | None:
    """What stands between the parentheses; None for what cannot be read."""
    if not inner.strip():
        return {}
    try:
        tree = ast.parse(f"f({inner})", mode="eval").body
        assert isinstance(tree, ast.Call)
        if not tree.args:
            return {one.arg: ast.literal_eval(one.value) for one in tree.keywords if one.arg}
        if len(tree.args) == 1 and not tree.keywords:
            only = ast.literal_eval(tree.args[0])
            return dict(only) if isinstance(only, dict) else None
    except (SyntaxError, ValueError, TypeError, AssertionError, MemoryError, RecursionError):
        pass
    return _object(inner) or None


def _alone(text: str, names: frozenset[str]) -> list[Call]:
    """Read a known tool name that stands alone as a call."""
    staged = _clean(text.strip("[]{}() "), names)
    if staged in names:
        return [(staged, {})]
    words = _words(text, names)
    return [(words[0], {})] if len(words) == 1 and _clean(words[0], names) in names else []


def _name_in(gap: str, names: frozenset[str], *, marked: bool) -> str | None:
    """The tool that is named before its arguments."""
    words = _words(gap, names)
    known = [word for word in words if _clean(word, names) in names]
    if known:
        return known[-1]
    return words[0] if words and marked else None


def _words(text: str, names: frozenset[str]) -> list[str]:
    """The words that may be a name."""
    found = re.findall(r"[A-Za-z_][\w.-]*(?::[\w.-]+)*", text)
    return [one for one in found if _clean(one, names) in names or _JUNK.fullmatch(one) is None]


def _object(text: str) -> dict[str, Any]:
    """The first JSON object in a text; empty without one."""
    return next((dict(value) for _, _, value in values(text, "{") if value), {})


def _trimmed(value: str) -> str:
    """Strip the line breaks that set a text apart."""
    return value.removeprefix("\n").removesuffix("\n")


def _clean(name: str, names: frozenset[str]) -> str:
    """A name without what models and servers put around it."""
    bare = re.sub(
        r"^(?:functions|default_api|tools?|api|call)[.:]|(?::\d+|<[|｜].*)$", "", name.strip()
    )
    if bare in names or name in names:
        return name if name in names else bare
    plain = re.sub(r"[\s-]", "_", bare.casefold())
    matching = [one for one in names if one.casefold() == plain]
    return matching[0] if matching else bare


def _either(names: Iterable[str]) -> str:
    """A pattern of any of these names."""
    return "|".join(map(re.escape, sorted(names, key=lambda name: (-len(name), name)))) or _NEVER


def _prefixes(name: str) -> str:
    """A pattern of all beginnings of a name."""
    pattern = ""
    for char in reversed(name[1:]):
        pattern = f"(?:{re.escape(char)}{pattern})?"
    return re.escape(name[0]) + pattern
