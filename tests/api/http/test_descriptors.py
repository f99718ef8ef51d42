"""What is left for HTTP connections of the files that may be open."""

import resource
import subprocess
import sys

import pytest

from api.http.descriptors import TooFewDescriptorsError, connections_within
from api.settings import load_settings


def test_where_there_are_enough_the_setting_holds(caplog: pytest.LogCaptureFixture) -> None:
    assert connections_within(65_536, load_settings(None, {})) == 1000
    assert caplog.messages == []


def test_calls_come_first(caplog: pytest.LogCaptureFixture) -> None:
    few = connections_within(1024, load_settings(None, {}))
    fewer = connections_within(1024, load_settings(None, {"OFFHOOK_CALLS__MAX_CONCURRENT": "40"}))
    assert 400 < few < 1000
    assert fewer == few - 30 * 8
    assert len(caplog.messages) == 2
    assert "RLIMIT_NOFILE" in caplog.messages[0]


def test_too_few_are_told() -> None:
    settings = load_settings(None, {"OFFHOOK_CALLS__MAX_CONCURRENT": "200"})
    with pytest.raises(TooFewDescriptorsError, match=r"1024 open files .*max_concurrent = 200"):
        connections_within(1024, settings)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    program = "from api.http.descriptors import raise_limit; print(raise_limit())"

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000))

    done = subprocess.run(
        [sys.executable, "-c", program], preexec_fn=lower, capture_output=True, check=True
    )
    assert done.stdout == b"2000\n"
