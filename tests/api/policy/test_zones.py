import zoneinfo

import pytest

from api.policy.zones import ZONE_NAMES, UnknownZoneError, zone, zone_of


@pytest.mark.parametrize(
    ("number", "found"),
    [
        pytest.param("+12125550100", "America/New_York", id="RV-135: area code"),
        pytest.param("+14155552671", "America/Los_Angeles", id="another area, same country"),
        pytest.param("+14165552671", "America/Toronto", id="Canada"),
        pytest.param("+18675552671", "America/Fort_Nelson", id="unknown, but of a known area"),
        pytest.param("+5592987654321", "America/Manaus", id="a Brazilian mobile has an area"),
        pytest.param("+526641234567", "America/Tijuana", id="so has a Mexican one"),
        pytest.param("+74232123456", "Asia/Vladivostok", id="Vladivostok"),
        pytest.param("+61893210000", "Australia/Perth", id="08 9: the west"),
        pytest.param("+61862000000", "Australia/Perth", id="08 6: the west"),
        pytest.param("+61882030000", "Australia/Adelaide", id="08 8: the south"),
        pytest.param("+61733330000", "Australia/Brisbane", id="07"),
        pytest.param("+61722223333", "Australia/Brisbane", id="07, of no known exchange"),
        pytest.param("+61747211234", "Australia/Brisbane", id="Townsville"),
        pytest.param("+61755361234", "Australia/Sydney", id="but Tweed Heads"),
        pytest.param("+61889812345", "Australia/Darwin", id="08 89: the Northern Territory"),
        pytest.param("+12702105678", "America/Chicago", id="most of western Kentucky"),
        pytest.param("+12707851234", "America/Chicago", id="western Kentucky"),
        pytest.param("+13642345678", "America/Chicago", id="western Kentucky, the overlay"),
        pytest.param("+12707651234", "America/New_York", id="but Elizabethtown"),
        pytest.param("+14235551234", "America/New_York", id="most of eastern Tennessee"),
        pytest.param("+14232345678", "America/New_York", id="Chattanooga"),
        pytest.param("+14239421234", "America/Chicago", id="but Jasper, TN"),
        pytest.param("+18504325678", "America/Chicago", id="Pensacola"),
        pytest.param("+18502015678", "America/Chicago", id="most of the panhandle"),
        pytest.param("+14485551234", "America/Chicago", id="the panhandle, the overlay"),
        pytest.param("+18505745678", "America/New_York", id="but Tallahassee"),
        pytest.param("+12199991234", "America/Chicago", id="Indiana's north-west"),
        pytest.param("+16059991234", "America/Chicago", id="most of South Dakota"),
        pytest.param("+16053421234", "America/Denver", id="Rapid City"),
        pytest.param("+17019991234", "America/Chicago", id="most of North Dakota"),
        pytest.param("+60123456789", "Asia/Kuala_Lumpur", id="a Malaysian mobile"),
        pytest.param("+60312345678", "Asia/Kuala_Lumpur", id="Kuala Lumpur"),
        pytest.param("+6082345678", "Asia/Kuching", id="Kuching"),
        pytest.param("+526141234567", "America/Chihuahua", id="Chihuahua"),
        pytest.param("+526391234567", "America/Chihuahua", id="Delicias"),
        pytest.param("+526561234567", "America/Ciudad_Juarez", id="Juárez"),
        pytest.param("+526261234567", "America/Ojinaga", id="Ojinaga"),
        pytest.param("+526621234567", "America/Mazatlan", id="Hermosillo: the same clock"),
        pytest.param("+528681234567", "America/Matamoros", id="Matamoros"),
        pytest.param("+559335221234", "America/Santarem", id="western Pará"),
        pytest.param("+74012123456", "Europe/Kaliningrad", id="Kaliningrad"),
        pytest.param("+78452123456", "Europe/Saratov", id="Saratov"),
        pytest.param("+17755552671", "America/Los_Angeles", id="most of Nevada"),
        pytest.param("+19072345678", "America/Anchorage", id="most of Alaska"),
        pytest.param("+34928123456", "Atlantic/Canary", id="a place on the Canaries"),
        pytest.param("+491701234567", "Europe/Berlin", id="a mobile of a one-zone country"),
        pytest.param("+919812345678", "Asia/Kolkata", id="India"),
        pytest.param("+353851234567", "Europe/Dublin", id="Ireland"),
        pytest.param("+34612345678", "Europe/Madrid", id="a Spanish mobile"),
        pytest.param("+34800123456", "Europe/Madrid", id="Spanish, toll-free"),
        pytest.param("+34803123456", "Europe/Madrid", id="Spanish, premium"),
        pytest.param("+351912345678", "Europe/Lisbon", id="a Portuguese mobile"),
        pytest.param("+61412345678", "Australia/Sydney", id="an Australian mobile"),
        pytest.param("+79161234567", "Europe/Moscow", id="a Russian mobile"),
        pytest.param("+77011234567", "Asia/Almaty", id="a Kazakh mobile"),
        pytest.param("+593991234567", "America/Guayaquil", id="an Ecuadorian mobile"),
        pytest.param("+64211234567", "Pacific/Auckland", id="a New Zealand mobile"),
        pytest.param("+380501234567", "Europe/Kyiv", id="a Ukrainian mobile"),
        pytest.param("+243812345678", "Africa/Kinshasa", id="a Congolese mobile"),
        pytest.param("+18005550100", "America/New_York", id="toll-free"),
        pytest.param("+19005550100", "America/New_York", id="premium"),
        pytest.param("+611800123456", "Australia/Sydney", id="Australian, toll-free"),
        pytest.param("+78001234567", "Europe/Moscow", id="Russian, toll-free"),
        pytest.param("+15551234567", "America/New_York", id="of no range"),
        pytest.param("+262692123456", "Indian/Reunion", id="Réunion"),
        pytest.param("+262639123456", "Indian/Mayotte", id="Mayotte"),
        pytest.param("+590690123456", "America/Guadeloupe", id="Guadeloupe"),
        pytest.param("+5997171234", "America/Kralendijk", id="Bonaire"),
        pytest.param("+61891621234", "Indian/Cocos", id="the Cocos Islands"),
        pytest.param("+17875551234", "America/Puerto_Rico", id="Puerto Rico"),
        pytest.param("+447624123456", "Europe/Isle_of_Man", id="the Isle of Man"),
        pytest.param("+213551234567", "Africa/Algiers", id="no clock of Paris"),
        pytest.param("+212650123456", "Africa/Casablanca", id="nor of the Canaries"),
        pytest.param("+970591234567", "Asia/Gaza", id="nor of Bucharest"),
        pytest.param("+883510001234567", None, id="a network without a country"),
        pytest.param("+80012345678", None, id="toll-free everywhere"),
        pytest.param("+99912345678", None, id="no such country code"),
        pytest.param("anonymous", None, id="no number"),
    ],
)
@pytest.mark.rows("RV-135")
def test_the_zone_of_a_number(number: str, found: str | None) -> None:
    assert zone_of(number) == found


@pytest.mark.parametrize(
    ("number", "default", "found"),
    [
        ("+15551234567", "America/Denver", "America/Denver"),
        ("+18005550100", "America/Detroit", "America/Detroit"),
        ("+18005550100", "America/Toronto", "America/Toronto"),
        ("+18005550100", "US/Pacific", "US/Pacific"),
        ("+34612345678", "Atlantic/Canary", "Atlantic/Canary"),
        ("+34612345678", "Africa/Ceuta", "Africa/Ceuta"),
        ("+61412345678", "Australia/Perth", "Australia/Perth"),
        ("+12085550100", "America/Los_Angeles", "America/Los_Angeles"),
        ("+99912345678", "Europe/Paris", "Europe/Paris"),
        ("+883510001234567", "Europe/Paris", "Europe/Paris"),
        ("anonymous", "Europe/Paris", "Europe/Paris"),
        # A number that tells its zone keeps it, and a country outweighs a zone elsewhere.
        ("+12125550100", "America/Denver", "America/New_York"),
        ("+34928123456", "Europe/Madrid", "Atlantic/Canary"),
        ("+15551234567", "Europe/Paris", "America/New_York"),
        ("+34612345678", "Europe/Berlin", "Europe/Madrid"),
        ("+79161234567", "Asia/Almaty", "Europe/Moscow"),
    ],
)
def test_the_deployments_zone_stands_in_where_the_number_may_be_in_it(
    number: str, default: str, found: str
) -> None:
    assert zone_of(number, default) == found


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
