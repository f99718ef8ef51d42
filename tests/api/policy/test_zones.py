import zoneinfo

import pytest

from api.policy.zones import ZONE_NAMES, UnknownZoneError, zone, zones_of


@pytest.mark.parametrize(
    ("number", "found"),
    [
        pytest.param("+12125550100", ("America/New_York",), id="RV-135: area code"),
        pytest.param("+14155552671", ("America/Los_Angeles",), id="another area, same country"),
        pytest.param("+491701234567", ("Europe/Berlin",), id="a mobile of a one-zone country"),
        pytest.param("+919812345678", ("Asia/Calcutta",), id="India"),
        pytest.param("+351912345678", ("Atlantic/Azores", "Europe/Lisbon"), id="all of a country"),
        pytest.param("+883510001234567", (), id="a network without a country"),
        pytest.param("+99912345678", (), id="no such country code"),
    ],
)
@pytest.mark.rows("RV-135")
def test_zones_of_a_number(number: str, found: tuple[str, ...]) -> None:
    assert zones_of(number) == found


def test_a_mobile_of_a_wide_country_may_be_anywhere_in_it() -> None:
    assert {"Australia/Perth", "Australia/Sydney"} < set(zones_of("+61412345678"))
    assert {"Europe/Moscow", "Asia/Kamchatka"} < set(zones_of("+79161234567"))


def test_the_deployments_zone_stands_in_only_where_no_plan_knows_the_number() -> None:
    assert len(zones_of("+15551234567")) > 1
    assert zones_of("+15551234567", "America/Denver") == ("America/Denver",)
    assert zones_of("+99912345678", "Europe/Paris") == ("Europe/Paris",)
    assert zones_of("+883510001234567", "Europe/Paris") == ("Europe/Paris",)
    # Known numbers keep their zones, and a country code outweighs a zone elsewhere.
    assert zones_of("+12125550100", "Europe/Paris") == ("America/New_York",)
    assert "Europe/Paris" not in zones_of("+15551234567", "Europe/Paris")


def test_every_listed_zone_loads_without_the_hosts_files() -> None:
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    try:
        for name in ZONE_NAMES:
            assert zone.__wrapped__(name).key == name
    finally:
        zoneinfo.reset_tzpath(to=before)


@pytest.mark.parametrize(
    "name", ["Europe/Pari", "../zones", "Europe", "", "/etc/passwd", "Factory", "europe/paris"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        zone(name)


def test_the_nearest_zone_is_named() -> None:
    with pytest.raises(UnknownZoneError, match="did you mean Europe/Paris"):
        zone("Europe/Pari")
