"""What a client would rather have."""

import pytest

from api.http.accept import preferred

OFFERED = {"wav": ("audio/wav", "audio/x-wav"), "opus": ("audio/ogg", "application/ogg")}


@pytest.mark.parametrize(
    ("accept", "best"),
    [
        ("", "wav"),
        ("*/*", "wav"),
        ("audio/ogg", "opus"),
        ("AUDIO/OGG; codecs=opus", "opus"),
        ("application/ogg, */*;q=0.1", "opus"),
        ("audio/x-wav;q=0.3, audio/ogg;q=0.2", "wav"),
        ("audio/*;q=0.5, audio/ogg;q=0.6", "opus"),
        ("audio/wav;q=0, */*", "opus"),
        ("audio/*;q=0, */*", None),
        ("text/html", None),
        ("audio/ogg;q=much, audio/wav;q=0.1", "wav"),
        (",;,", None),
    ],
)
def test_the_one_that_is_taken_most_readily(accept: str, best: str | None) -> None:
    assert preferred(accept, OFFERED) == best
