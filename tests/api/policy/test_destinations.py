"""Where calls may go by default, and what the operator's two lists add."""

import pytest

from api.policy.destinations import HOME, Destinations
from api.settings import SettingsError, load_settings

AMERICAN = "+15559876543"
GERMAN = "+4930123456"
BRITISH = "+442079460000"


@pytest.mark.parametrize(
    ("number", "ours"),
    [
        ("+12125550100", AMERICAN),
        ("+18005550199", AMERICAN),  # toll-free numbers are shared by North America
        ("+18005550199", "+14165551234"),
        ("+18005550199", "+18765551234"),
        ("+18335550199", AMERICAN),
        ("+498001234567", GERMAN),
        ("+448001234567", BRITISH),
        ("+80012345678", AMERICAN),  # universal international freephone numbers (ITU-T E.169.1)
        ("+80012345678", GERMAN),
        ("+15551234567", AMERICAN),  # fictional, known to no plan
        ("+15550100", AMERICAN),
        ("+15550199999", AMERICAN),
        ("+491701234567", GERMAN),
        ("+4930123", GERMAN),
        ("+442071234567", BRITISH),
        ("+390612345678", "+390698765432"),
    ],
)
def test_ordinary_numbers_of_the_same_country_are_called(number: str, ours: str) -> None:
    assert HOME.refusal(number, ours) is None


@pytest.mark.parametrize(
    ("number", "ours", "why"),
    [
        ("+19005551234", AMERICAN, "premium-rate"),
        ("+19001234567", AMERICAN, "premium-rate"),  # the plan has no such one; a carrier may
        ("+119005551234", AMERICAN, "premium-rate"),
        ("+15005551234", AMERICAN, "personal"),
        ("+1911123", AMERICAN, "emergency"),
        ("+19111234567", AMERICAN, "emergency"),
        ("+1011882123456789", AMERICAN, "longer"),
        ("+18765551234", AMERICAN, "another country (JM)"),
        ("+18095551234", AMERICAN, "another country (DO)"),
        ("+14165551234", AMERICAN, "another country (CA)"),
        ("+4930123456", AMERICAN, "another country (DE)"),
        ("+870773111632", AMERICAN, "satellite"),
        ("+88163123456", AMERICAN, "satellite"),
        ("+8821312345", AMERICAN, "satellite"),
        ("+800123", AMERICAN, "satellite"),
        ("+883510001234567", AMERICAN, "satellite"),
        ("+9791234567", AMERICAN, "of no country"),
        ("+99912345678", AMERICAN, "no country's numbering plan"),
        ("+49900123456", GERMAN, "premium-rate"),
        ("+490900123456", GERMAN, "premium-rate"),
        ("+49137123456", GERMAN, "premium-rate"),
        ("+4918012345678", GERMAN, "shared-cost"),
        ("+4918912345", GERMAN, "UAN"),
        ("+4911833", GERMAN, "short"),
        ("+4911012", GERMAN, "emergency"),
        ("+12125550100", GERMAN, "another country (US)"),
        ("+449012345678", BRITISH, "premium-rate"),
        ("+447012345678", BRITISH, "personal"),
        ("+447640123456", BRITISH, "pager"),
        ("+441534123456", BRITISH, "another country (JE)"),
    ],
)
def test_what_costs_more_and_what_is_abroad_is_not(number: str, ours: str, why: str) -> None:
    refusal = HOME.refusal(number, ours)
    assert refusal is not None
    assert why in refusal
    assert "calls.allowed_prefixes" in refusal


@pytest.mark.parametrize(
    ("prefix", "called", "refused"),
    [
        ("+", {"+4930123456", "+18765551234"}, {"+19005551234", "+88163123456", "+99912345678"}),
        ("+49", {"+4930123456"}, {"+49900123456", "+33123456789"}),
        ("+49900", {"+49900123456"}, {"+4930123456"}),
        ("+1", {"+18765551234"}, {"+19005551234"}),
        ("+1900", {"+19005551234"}, {"+18765551234"}),
        ("+881", {"+88163123456"}, {"+8821312345"}),
        ("+88", set(), {"+88163123456"}),
        ("+999", {"+99912345678"}, {"+9791234567"}),
    ],
)
def test_a_prefix_names_what_it_says_and_a_special_number_only_beyond_the_country_code(
    prefix: str, called: set[str], refused: set[str]
) -> None:
    named = Destinations(prefixes=(prefix,))
    assert {number for number in called | refused if named.refusal(number, AMERICAN)} == refused


def test_a_country_that_is_named_is_called_but_not_its_special_numbers() -> None:
    named = Destinations(countries=frozenset({"DE"}))
    assert named.refusal("+4930123456", AMERICAN) is None
    assert "premium" in (named.refusal("+49900123456", AMERICAN) or "")


def test_the_settings_numbers_are_at_home_whichever_number_is_shown() -> None:
    env = {
        "OFFHOOK_CALLS__NUMBERS": f"{AMERICAN},{GERMAN}",
        "OFFHOOK_CALLS__ALLOWED_COUNTRIES": "AT",
        "OFFHOOK_CALLS__ALLOWED_PREFIXES": "+1876",
    }
    rule = load_settings(None, env).calls.destinations
    for number in ("+4930999999", "+12125550100", "+4315557654", "+18765551234"):
        assert rule.refusal(number, AMERICAN) is None
    assert rule.refusal("+33123456789", AMERICAN) is not None
    # Any other number of ours is at home where it is from.
    assert rule.refusal("+33123456789", "+33198765432") is None


@pytest.mark.parametrize(
    ("key", "value"), [("ALLOWED_COUNTRIES", "Germany"), ("ALLOWED_PREFIXES", "0049")]
)
def test_what_is_no_country_and_no_prefix_is_refused(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"calls.{key.lower()}"):
        load_settings(None, {f"OFFHOOK_CALLS__{key}": value})
