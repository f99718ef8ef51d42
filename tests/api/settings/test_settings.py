"""Settings: the file, the environment, mistakes in both."""

from pathlib import Path

import pytest

from api.settings import Settings, SettingsError, env_name, iter_fields, load_settings
from api.settings.docs import settings_page

ROOT = Path(__file__).parents[3]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "offhook.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_need_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {"HOME": "/x"}) == Settings()


def test_the_file_is_found_named_or_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "[server]\nport = 9001\n[pbx.ami]\nhost = 'pbx'\n")
    assert load_settings(path, {}).server.port == 9001
    assert load_settings(None, {"OFFHOOK_CONFIG": str(path)}).pbx.ami.host == "pbx"
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}).server.port == 9001


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 9001\n[calls]\nnumbers = ['+15550100001']\n")
    loaded = load_settings(
        path,
        {
            "OFFHOOK_SERVER__PORT": "9002",
            "OFFHOOK_PBX__AMI__SECRET": "hush",
            "OFFHOOK_CALLS__NUMBERS": "+15550100002, +15550100003",
            "OFFHOOK_WEBHOOKS__ALLOWED_NETWORKS": '["10.0.0.0/8"]',
            "OFFHOOK_VOICE__BARGE_IN": "false",
        },
    )
    assert loaded.server.port == 9002
    assert loaded.pbx.ami.secret.get_secret_value() == "hush"
    assert loaded.calls.numbers == ("+15550100002", "+15550100003")
    assert str(loaded.webhooks.allowed_networks[0]) == "10.0.0.0/8"
    assert loaded.voice.barge_in is False


def test_tables_with_names_of_the_operators(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[models.llms.big]\nurl = 'http://10.0.0.5:8000/v1/'\nmodel = 'qwen'\n"
        "[models.aliases]\n'gpt-4.1' = 'big'\n",
    )
    env = {
        "OFFHOOK_MODELS__LLMS__BIG__API_KEY": "hush",
        "OFFHOOK_MODELS__VOICES__MARIA__URL": "http://10.0.0.6/v1",
        "OFFHOOK_MODELS__VOICES__MARIA__MODEL": "kokoro",
        "OFFHOOK_MODELS__VOICES__MARIA__VOICE": "ef_dora",
        "OFFHOOK_MODELS__VOICES__MARIA__LANGUAGES": "es,en",
    }
    models = load_settings(path, env).models
    assert models.llms["big"].url == "http://10.0.0.5:8000/v1"
    assert models.llms["big"].api_key is not None
    assert models.llms["big"].api_key.get_secret_value() == "hush"
    assert models.voices["maria"].languages == ("es", "en")
    assert models.aliases == {"gpt-4.1": "big"}


@pytest.mark.parametrize(
    ("text", "env", "told"),
    [
        ("[models.llms.big]\nurl = 'http://x'\n", {}, "models.llms.big.model"),
        ("[models.llms.big]\nmodell = 'x'\n", {}, "did you mean models.llms.<name>.model?"),
        ("[models.llms.Big]\nurl = 'http://x'\nmodel = 'x'\n", {}, "models.llms.Big"),
        (
            "[models.llms.big]\nurl = 'http://me:hush@x/v1'\nmodel = 'x'\n",
            {},
            "models.llms.big.url (environment: OFFHOOK_MODELS__LLMS__BIG__URL): write it as http",
        ),
        ("[servr]\n", {}, "servr: no such setting; did you mean server"),
        ("[server]\nprot = 1\n", {}, "server.prot: no such setting; did you mean server.port?"),
        ("[pbx.ami]\nuser = 'x'\n", {}, "pbx.ami.user: no such setting; did you mean pbx.ami.user"),
        ("", {"OFFHOOK_SERVER__PROT": "1"}, "did you mean OFFHOOK_SERVER__PORT?"),
        ("", {"OFFHOOK_SERVER_PORT": "1"}, "did you mean OFFHOOK_SERVER__PORT?"),
        ("[server]\nport = 'x'\n", {}, "server.port (environment: OFFHOOK_SERVER__PORT): "),
        ("[server]\nport = 70000\n", {}, "less than or equal to 65535"),
        ("", {"OFFHOOK_CALLS__NUMBERS": "+1555,x"}, "calls.numbers.0: write it in E.164 form"),
        ("", {"OFFHOOK_PBX__TRUNK": "a\r\nb"}, "pbx.trunk"),
        ("", {"OFFHOOK_WEBHOOKS__SECRET": "x"}, "a signing secret is whsec_"),
        ("", {"OFFHOOK_WEBHOOKS__ALLOWED_NETWORKS": "10.0.0.0/99"}, "webhooks.allowed_networks.0"),
        ("[pbx]\nkind = 'yate'\n", {}, "'asterisk' or 'freeswitch'"),
        ("[pbx.esl]\nunicast_port_min = 30000\n", {}, "pbx.esl"),
        ("[pbx.fastagi]\nsecret = 'with/a/slash/in/it'\n", {}, "make it of 16 to 128 letters"),
        ("[pbx.fastagi]\nhost = '0.0.0.0'\n", {}, "set fastagi.secret"),
        ("[pbx.fastagi]\nhost = 'pbx.example'\n", {}, "set fastagi.secret"),
        ("server = 1\n", {"OFFHOOK_SERVER__PORT": "1"}, "server (environment"),
        ("[server\n", {}, "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_cure(
    tmp_path: Path, text: str, env: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text), env)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[pbx.fastagi]\nhost = '0.0.0.0'\nsecret = 'abcdefgh-01234567'\n",
        "[pbx.fastagi]\nhost = '::1'\n",
        "[pbx.fastagi]\nhost = 'localhost'\n",
        "[pbx]\ninbound = false\nfastagi = {host = '0.0.0.0'}\n",
        "[pbx]\nkind = 'freeswitch'\nfastagi = {host = '0.0.0.0'}\n",
    ],
)
def test_fastagi_beyond_loopback_has_a_secret(tmp_path: Path, text: str) -> None:
    assert load_settings(write(tmp_path, text), {}).pbx.fastagi.host


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 0.5\n[calls]\nmax_concurrent = 0\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {"OFFHOOK_RTP__PORT": "1"})
    assert len(str(caught.value).splitlines()) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        load_settings(tmp_path / "none.toml", {})


def test_other_variables_are_left_alone() -> None:
    load_settings(None, {"OFFHOOK_URL": "http://x", "OFFHOOK_API_KEY": "sk_x"})


def test_secrets_are_in_no_repr_and_no_error(tmp_path: Path) -> None:
    loaded = load_settings(None, {"OFFHOOK_PBX__AMI__SECRET": "hush-hush"})
    assert "hush-hush" not in repr(loaded)
    assert "hush-hush" not in str(loaded.model_dump())
    path = write(tmp_path, "[pbx.ami]\nsecret = ['hush-hush']\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {"OFFHOOK_WEBHOOKS__SECRET": "hush-hush"})
    assert "hush-hush" not in str(caught.value)


def test_every_setting_is_described_and_documented() -> None:
    """`make` has nothing to do with it: run `python -m api.settings.docs > docs/settings.md`."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page()
    for key, field in iter_fields():
        assert field.description, key
        assert f"`{key}`" in page
        assert f"`{env_name(key)}`" in page


def test_every_setting_can_come_from_the_environment() -> None:
    names = [env_name(key) for key, _ in iter_fields()]
    assert len(set(names)) == len(names)
    known = [load_or_error({name: "1"}) for name in names]
    assert not [told for told in known if "no such setting" in told]
    assert "no such setting" in load_or_error({names[0] + "X": "1"})


def load_or_error(env: dict[str, str]) -> str:
    try:
        load_settings(None, env)
    except SettingsError as error:
        return str(error)
    return ""


def test_several_pbxs_each_have_a_name(tmp_path: Path) -> None:
    path = tmp_path / "offhook.toml"
    path.write_text(
        '[pbxs.berlin]\ntrunk = "b"\n[pbxs.berlin.ami]\nhost = "[2001:db8::1]"\n'
        "[pbxs.berlin.fastagi]\nport = 4574\n"
    )
    settings = load_settings(path, {"OFFHOOK_PBXS__BERLIN__AMI__PORT": "5039"})
    assert (settings.pbx.trunk, settings.pbxs["berlin"].trunk) == ("trunk", "b")
    assert settings.pbxs["berlin"].ami.host == "2001:db8::1"
    assert settings.pbxs["berlin"].ami.port == 5039


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ('[pbxs.berlin]\ntrunk = "b"', "pbxs.berlin.fastagi.port is that of pbx"),
        ("[pbxs.berlin]\ninbound = false", "pbxs.berlin.trunk has the name of pbx's trunk"),
        ('[pbxs.pbx]\ntrunk = "b"', "that one is [pbx]"),
    ],
)
def test_pbxs_that_are_not_apart_are_refused(tables: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "offhook.toml"
    path.write_text(tables)
    with pytest.raises(SettingsError) as refused:
        load_settings(path, {})
    assert told in str(refused.value)
