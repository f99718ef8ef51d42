"""The process that reads what calendars hold: hostile texts may end it, and nothing else.

    python -P -m api.calendars.worker

It says that it is ready, then answers jobs, one after the other. A job is a line of JSON and as
many bytes of text as that says; an answer is a line of JSON. It ends with its input. Memory,
processor time and time have bounds, and who passes one is killed by the kernel, even where nobody
waits for the answer any more.
"""

import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from icalendar.timezone import tzp

from api.calendars.busy import busy_times
from api.calendars.errors import CalendarError
from api.calendars.interval import Interval
from api.calendars.multistatus import events_of
from api.calendars.ownership import is_of_call
from api.policy.zones import zone

#: Bytes of address space; 60 MB are the interpreter's and its libraries'.
_MEMORY: Final = 512 * 1024 * 1024
#: The calls need the processor more.
_NICENESS: Final = 5

Job = Mapping[str, Any]


def main() -> None:
    """Answer until the input ends."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _say(answers, "ready")
    while line := jobs.readline():
        job = json.loads(line)
        text = jobs.read(job["size"])
        _limit(job["seconds"])
        answer = _answer(job, text)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(answers, answer)


def _say(answers: Any, answer: Any) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _limit(seconds: float) -> None:
    """Be killed when the job takes longer."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), most))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(job: Job, text: bytes) -> Any:
    tzp.use_zoneinfo()  # without the zones that earlier texts have defined
    try:
        return {"found": _KINDS[job["kind"]](job, text)}
    except MemoryError:
        os._exit(1)  # who knows what is left in order
    except CalendarError as error:
        return {"error": str(error)}
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        return {"error": f"it holds what is no iCalendar ({type(error).__name__})"}


def _feed(job: Job, text: bytes) -> Any:
    return _busy(job, [text])


def _caldav(job: Job, text: bytes) -> Any:
    return _busy(job, events_of(text))


def _busy(job: Job, texts: Any) -> Any:
    span = Interval(datetime.fromisoformat(job["start"]), datetime.fromisoformat(job["end"]))
    found = busy_times(texts, span, zone(job["zone"]))
    return [(one.start.isoformat(), one.end.isoformat()) for one in found]


def _of_call(job: Job, text: bytes) -> Any:
    return is_of_call(text, job["call_id"], datetime.fromisoformat(job["start"]))


_KINDS: Final[Mapping[str, Callable[[Job, bytes], Any]]] = {
    "feed": _feed,
    "caldav": _caldav,
    "of_call": _of_call,
}

if __name__ == "__main__":
    main()
