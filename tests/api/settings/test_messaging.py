"""`[sms]` and `[smtp]`: what goes together, and what is refused at the start."""

import pytest

from api.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"SMS__KIND": "http"}, "needs sms.http.url"),
        ({"SMS__HTTP__URL": "ftp://x"}, "https://sms.example.org/send"),
        ({"SMS__HTTP__BODY": "{{to}}"}, "sms.http.body"),
        ({"SMS__HTTP__BODY": '{"a": "{{nobody}}"}'}, "there is no 'nobody'"),
        ({"SMS__HTTP__HEADERS": '{"a b": "x"}'}, "is no header's name"),
        ({"SMS__HTTP__HEADERS": '{"A": "x\\r\\nB: y"}'}, "printable ASCII"),
        ({"SMS__HTTP__HEADERS": "x"}, "sms.http.headers"),
        ({"SMS__FROM_NUMBER": "5551234"}, "E.164"),
        ({"SMTP__HOST": "mail"}, "smtp.from_address"),
        ({"SMTP__FROM_ADDRESS": "a\r\nb@example.org"}, "no mail address"),
        ({"SMTP__CA_FILE": "/none.pem"}, "no certificates can be read there"),
        ({"SMTP__USERNAME": "ann"}, "come together"),
        (
            {"SMTP__USERNAME": "ann", "SMTP__PASSWORD": "x", "SMTP__SECURITY": "none"},
            "not sent in the clear",
        ),
    ],
)
def test_a_mistake_is_named_with_its_cure(env: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {f"OFFHOOK_{name}": value for name, value in env.items()})
    assert told in str(caught.value)


def test_headers_are_given_as_json_and_kept_secret() -> None:
    settings = load_settings(None, {"OFFHOOK_SMS__HTTP__HEADERS": '{"X-Key": "hush-hush"}'})
    assert settings.sms.http.headers["X-Key"].get_secret_value() == "hush-hush"
    assert "hush-hush" not in repr(settings)
