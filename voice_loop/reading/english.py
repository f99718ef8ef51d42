"""English, American unless its tag tells of another region."""

# ruff: noqa: E501, SIM905 - tables of words

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from voice_loop.reading.language import Clock, Currency, Language, unit_names

_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS: Final = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES: Final = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
MONTHS: Final = (
    "January February March April May June July August September October November December"
).split()
_REGIONS_OF_MONTH_FIRST: Final = frozenset({"", "us", "ph", "pr", "gu"})


def cardinal(number: int, *, british: bool = False) -> str:
    """A whole number: `twelve hundred` is never said."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        link = " and " if british else " "
        return f"{_ONES[hundreds]} hundred" + (link + cardinal(rest) if rest else "")
    for size, name in _SCALES:
        if number >= size:
            many, rest = divmod(number, size)
            said = f"{cardinal(many, british=british)} {name}"
            if not rest:
                return said
            link = " and " if british and rest < 100 else " "
            return said + link + cardinal(rest, british=british)
    raise AssertionError


def ordinal(number: int, ending: str = "") -> str:  # noqa: ARG001
    """`first`, `twenty-third`."""
    said = cardinal(number)
    at = max(said.rfind(" "), said.rfind("-")) + 1
    last = said[at:]
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return said[:at] + last


def year(number: int) -> str:
    """`nineteen oh five`, `two thousand six`, `twenty twenty-six`."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def _date(day: int, month: int, of: int | None, *, month_first: bool) -> str:
    name = MONTHS[month - 1]
    said = f"{name} {ordinal(day)}" if month_first else f"the {ordinal(day)} of {name}"
    return said if of is None else f"{said}, {year(of)}"


def _clock(time: Clock) -> str:
    if time == Clock(24, 0):
        return "midnight"
    hour, minute, half = time.hour % 24, time.minute, time.half
    if not half and (hour > 12 or hour == 0):
        hour, half = (hour - 12, "p") if hour > 12 else (12, "a")
    said = cardinal(hour)
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half:
        said += " o'clock"
    return said + (f" {half}.m." if half else "")


_HALVES: Final = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def _fraction(top: int, bottom: int) -> str | None:
    if not 1 < bottom <= 100 or top > 99:
        return None
    one, many = _HALVES.get(bottom, (ordinal(bottom), f"{ordinal(bottom)}s"))
    return f"{cardinal(top)} {one if top == 1 else many}"


_DOLLAR: Final = Currency("dollar", "dollars", "cent", "cents")
_CURRENCIES: Final[Mapping[str, Currency]] = {
    **dict.fromkeys(("$", "US$", "USD"), _DOLLAR),
    **dict.fromkeys(("€", "EUR"), Currency("euro", "euros", "cent", "cents")),
    **dict.fromkeys(("£", "GBP"), Currency("pound", "pounds", "penny", "pence")),
    **dict.fromkeys(("¥", "JPY"), Currency("yen", "yen")),
    **dict.fromkeys(("₹", "INR"), Currency("rupee", "rupees", "paisa", "paise")),
    **dict.fromkeys(("C$", "CA$", "CAD"), replace(_DOLLAR, one="Canadian dollar", many="Canadian dollars")),
    **dict.fromkeys(("A$", "AU$", "AUD"), replace(_DOLLAR, one="Australian dollar", many="Australian dollars")),
    **dict.fromkeys(("NZ$", "NZD"), replace(_DOLLAR, one="New Zealand dollar", many="New Zealand dollars")),
    **dict.fromkeys(("MX$", "MXN"), Currency("Mexican peso", "Mexican pesos", "centavo", "centavos")),
    **dict.fromkeys(("R$", "BRL"), Currency("real", "reais", "centavo", "centavos")),
    **dict.fromkeys(("₽", "RUB"), Currency("ruble", "rubles", "kopeck", "kopecks")),
    **dict.fromkeys(("₩", "KRW"), Currency("won", "won")),
    **dict.fromkeys(("₺", "TRY"), Currency("lira", "lira", "kurush", "kurush")),
    **dict.fromkeys(("₪", "ILS"), Currency("shekel", "shekels", "agora", "agorot")),
    **dict.fromkeys(("₴", "UAH"), Currency("hryvnia", "hryvnias", "kopeck", "kopecks")),
    **dict.fromkeys(("฿", "THB"), Currency("baht", "baht", "satang", "satang")),
    **dict.fromkeys(("₱", "PHP"), Currency("peso", "pesos", "centavo", "centavos")),
    "CHF": Currency("Swiss franc", "Swiss francs", "cent", "cents"),
    "CNY": Currency("yuan", "yuan", "fen", "fen"),
    "PLN": Currency("zloty", "zlotys", "grosz", "groszy"),
    "CZK": Currency("Czech crown", "Czech crowns"),
    "HUF": Currency("forint", "forints"),
    "SEK": Currency("Swedish crown", "Swedish crowns", "öre", "öre"),
    "NOK": Currency("Norwegian crown", "Norwegian crowns", "øre", "øre"),
    "DKK": Currency("Danish crown", "Danish crowns", "øre", "øre"),
    "ZAR": Currency("rand", "rand", "cent", "cents"),
    "SGD": replace(_DOLLAR, one="Singapore dollar", many="Singapore dollars"),
    "HKD": replace(_DOLLAR, one="Hong Kong dollar", many="Hong Kong dollars"),
    "AED": Currency("dirham", "dirhams", "fils", "fils"),
    "SAR": Currency("riyal", "riyals", "halala", "halalas"),
}  # fmt: skip


def _money(whole: int, cents: str, currency: Currency, *, british: bool) -> str:
    unit = currency.one if whole == 1 else currency.many
    said = f"{cardinal(whole, british=british)} {unit}"
    if not (part := int(cents or 0)) or not currency.cent:
        return said
    small = f"{cardinal(part)} {currency.cent if part == 1 else currency.cents}"
    return f"{said} and {small}" if whole else small


_SIGNS: Final = {
    "@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "+": "plus", "&": "and",
    "#": "pound", "*": "star", "%": "percent", "=": "equals", "~": "tilde", "?": "question mark",
    ":": "colon", "°": "degrees", "<": "less than", ">": "greater than", "×": "times",
    "÷": "divided by", "±": "plus or minus", "≈": "about", "≤": "at most", "≥": "at least",
    "−": "minus", "√": "square root of", "§": "section", "№": "number", "^": "caret", "$": "dollar sign", "€": "euro",
    "£": "pound sign", ",": "comma", ";": "semicolon", "!": "exclamation mark", "\\": "backslash",
    "hashtag": "hashtag", "number": "number", "minus": "minus", "point": "point", "to": "to", "per": "per", "by": "by",
    "about": "about", "and": "and", "extension": "extension", "version": "version", "half": "a half",
    "celsius": "Celsius", "fahrenheit": "Fahrenheit", "degree": "degree",
}  # fmt: skip


_UNITS: Final = (
    unit_names("km kms", "kilometer") | unit_names("m", "meter") | unit_names("cm", "centimeter")
    | unit_names("mm", "millimeter") | unit_names("mi", "mile") | unit_names("ft", "foot", "feet")
    | unit_names("yd yds", "yard") | unit_names("kg kgs", "kilogram") | unit_names("g", "gram")
    | unit_names("mg", "milligram") | unit_names("mcg µg μg", "microgram") | unit_names("lb lbs", "pound")
    | unit_names("oz", "ounce") | unit_names("l L", "liter") | unit_names("ml mL", "milliliter")
    | unit_names("gal", "gallon") | unit_names("mph", "mile per hour", "miles per hour")
    | unit_names("km/h kph kmh", "kilometer per hour", "kilometers per hour")
    | unit_names("m/s", "meter per second", "meters per second")
    | unit_names("kB KB", "kilobyte") | unit_names("MB", "megabyte") | unit_names("GB", "gigabyte")
    | unit_names("TB", "terabyte") | unit_names("Mbps Mb/s Mbit/s", "megabit per second", "megabits per second")
    | unit_names("Gbps", "gigabit per second", "gigabits per second")
    | unit_names("kW", "kilowatt") | unit_names("kWh", "kilowatt hour") | unit_names("W", "watt") | unit_names("V", "volt")
    | unit_names("mA", "milliamp") | unit_names("mAh", "milliamp hour")
    | unit_names("Hz", "hertz", "hertz") | unit_names("kHz", "kilohertz", "kilohertz")
    | unit_names("MHz", "megahertz", "megahertz") | unit_names("GHz", "gigahertz", "gigahertz")
    | unit_names("ms", "millisecond") | unit_names("s sec secs", "second") | unit_names("min mins", "minute")
    | unit_names("h hr hrs", "hour") | unit_names("yr yrs", "year") | unit_names("wk wks", "week")
    | unit_names("m² m2 sqm", "square meter") | unit_names("m³ m3", "cubic meter") | unit_names("km² km2", "square kilometer")
    | unit_names("ft² sqft", "square foot", "square feet") | unit_names("dB", "decibel") | unit_names("kcal", "kilocalorie")
    | unit_names("psi", "P S I", "P S I") | unit_names("px", "pixel") | unit_names("pcs", "piece") | unit_names("pts", "point")
)  # fmt: skip
_ABBREVIATIONS: Final = {
    "mr": "Mister", "mrs": "Missis", "ms": "Miz", "mx": "Mix", "prof": "Professor", "rev": "Reverend",
    "hon": "Honorable", "gov": "Governor", "sen": "Senator", "capt": "Captain", "sgt": "Sergeant",
    "lt": "Lieutenant", "col": "Colonel", "gen": "General", "jr": "junior", "ave": "Avenue",
    "blvd": "Boulevard", "rd": "Road", "ln": "Lane", "hwy": "Highway", "pkwy": "Parkway",
    "apt": "apartment", "apts": "apartments", "ste": "suite", "bldg": "building", "rm": "room",
    "e.g": "for example", "i.e": "that is", "eg": "for example", "ie": "that is", "etc": "et cetera",
    "vs": "versus", "approx": "approximately", "appt": "appointment", "appts": "appointments",
    "dept": "department", "est": "established", "ext": "extension", "tel": "telephone",
    "inc": "incorporated", "ltd": "limited", "corp": "corporation", "avg": "average",
    "misc": "miscellaneous", "yr": "year", "p": "page", "ch": "chapter", "ref": "reference", "max": "maximum", "min": "minimum", "mt": "Mount", "c/o": "care of",
    "w/": "with", "w/o": "without", "b/w": "between", "a.k.a": "also known as", "ph.d": "P H D", "qty": "quantity",
    "acct": "account", "pkg": "package", "nos": "numbers", "vol": "volume", "pp": "pages", "fig": "figure",
    "n/a": "not available", "cf": "compare", "assn": "association", "mgr": "manager", "govt": "government", "int'l": "international",
}  # fmt: skip
_UNDOTTED: Final = frozenset(
    "ave ext yr mr mrs prof capt sgt blvd hwy pkwy apts bldg vs approx appt appts dept ltd avg qty acct pkg govt".split()
)
_STATES: Final = dict(
    one.split(":")
    for one in (
        "AL:Alabama AK:Alaska AZ:Arizona AR:Arkansas CA:California CO:Colorado CT:Connecticut "
        "DE:Delaware FL:Florida GA:Georgia HI:Hawaii ID:Idaho IL:Illinois IN:Indiana IA:Iowa KS:Kansas "
        "KY:Kentucky LA:Louisiana ME:Maine MD:Maryland MA:Massachusetts MI:Michigan MN:Minnesota "
        "MS:Mississippi MO:Missouri MT:Montana NE:Nebraska NV:Nevada NH:New_Hampshire NJ:New_Jersey "
        "NM:New_Mexico NY:New_York NC:North_Carolina ND:North_Dakota OH:Ohio OK:Oklahoma OR:Oregon "
        "PA:Pennsylvania RI:Rhode_Island SC:South_Carolina SD:South_Dakota TN:Tennessee TX:Texas UT:Utah "
        "VT:Vermont VA:Virginia WA:Washington WV:West_Virginia WI:Wisconsin WY:Wyoming DC:D_C"
    ).split()
)
_CAPITALS: Final = frozenset(
    (
        "AM AN AS AT BE BY DO GO HE HI IF IN IS IT ME MY NO OF OH ON OR SO TO UP US WE OK ALL AND ANY "
        "ARE ASK BAD BIG BUT BUY CAN CAR DAY DID DUE END FAR FEW FOR GET GOT HAD HAS HER HIM HIS HOT HOW "
        "ITS LET LOW MAY NEW NOT NOW OFF OLD ONE OUR OUT OWN PAY PER PUT RUN SAY SEE SHE SIX TEN THE TOO "
        "TOP TRY TWO USE WAS WAY WHO WHY YES YET YOU ZIP PIN SIM BUS MR MRS MS DR NASA NATO VISA COVID "
        "RAM ROM LAN WAN GIF JPEG LASER RADAR UNICEF UNESCO AIDS SCUBA NAFTA OPEC FIFA UEFA OSHA FEMA "
        "NAS SAP IBAN SWIFT MON TUE WED THU FRI SAT SUN JAN FEB MAR APR JUN JUL AUG SEP "
        "OCT NOV DEC SIR MOM DAD FUN SAD MAD ADD AGO AIR ARM ART BAG BAR BED BOX BOY CUT DOG EAR EAT EYE "
        "FIX FIT FLY GAS GUY HIT ICE JOB KEY KID LAW LEG LIE LOT MAN MAP MEN MIX NET ODD OIL RED ROW SET "
        "SIT SKY SON TAX TEA TIP WAR WET WIN"
    ).split()
) - {"US", "IT", "AM"}  # fmt: skip


_SMALL_WORDS: Final = frozenset(
    (
        "in on at by to for from and or but so if is are was were as with of the a an this that then please it we you i "
        "your our his her my their thanks now today tomorrow here there when where what which who how would should can "
        "could do does did will ok okay has have had not am pm"
    ).split()
)


def _counted(number: int, noun: str, *, british: bool) -> str:  # noqa: ARG001
    return cardinal(number, british=british)


_MONTH_FORMS: Final = {
    form: number
    for number, name in enumerate(MONTHS, 1)
    for form in (name.lower(), name[:3].lower(), *(["sept"] if number == 9 else []))
}
_SHORT_MONTHS: Final = {
    form: MONTHS[number - 1]
    for form, number in _MONTH_FORMS.items()
    if MONTHS[number - 1].lower() != form
}
_WEEKDAYS: Final = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday",
    "thur": "Thursday", "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip


def english(region: str) -> Language:
    """English as it is read in a region (ISO 3166-1, small letters; empty for none)."""
    month_first = region in _REGIONS_OF_MONTH_FIRST
    british = region not in {"", "us", "ph", "pr", "gu", "ca"}
    signs = dict(_SIGNS)
    units = dict(_UNITS)
    if british:
        signs["#"] = "hash"
        units = {
            name: (re.sub("(met|lit)er", r"\1re", one), re.sub("(met|lit)er", r"\1re", many))
            for name, (one, many) in units.items()
        }
    local = {"ca": "Canadian dollar", "au": "Australian dollar", "nz": "New Zealand dollar"}
    currencies = dict(_CURRENCIES)
    if region in local:
        currencies |= dict.fromkeys((f"{region[0].upper()}$",), _DOLLAR)
    return Language(
        code="en",
        cardinal=partial(cardinal, british=british),
        ordinal=ordinal,
        year=year,
        date=partial(_date, month_first=month_first),
        clock=_clock,
        counted=partial(_counted, british=british),
        fraction=_fraction,
        money=partial(_money, british=british),
        currency=currencies.get,
        decimal=".",
        month_first=month_first,
        signs=signs,
        units=units,
        month_names=MONTHS,
        months=_MONTH_FORMS,
        weekdays=_WEEKDAYS,
        abbreviations=_ABBREVIATIONS | _SHORT_MONTHS,
        undotted=_UNDOTTED,
        code_words=r"codes?|otp|pin|pins|passcode|password|rooms?|suite|ste|apartment|apt|unit|gate|flight"
        r"|bus|number|numbers|no|id|ids|order|orders|reference|ref|ticket|invoice|account|extension|ext|case"
        r"|confirmation|booking|reservation|policy|member|membership|tracking|serial|model|zip|zip code"
        r"|postcode|postal code|license|licence|plate|ending in|ends in|ending with|digits|card|dial|press"
        r"|phone|telephone|mobile|fax|call|text|sms|channel|line|license|passport|claim|file|record|box|route|user|customer|patient|locker|floor|level|bay",
        code_links="is|are|was|as|follows|number|numbers|no|code|of|the|your|its|a|an|with|in|that|ends|ending|at|on|and|or|to",
        small_words=_SMALL_WORDS,
        year_words=r"in|since|by|until|till|before|after|from|of|year|early|late|mid|summer|winter"
        r"|spring|fall|autumn|during|through|around|circa|christmas|class of",
        quantity_words=r"about|over|under|than|nearly|almost|around|total|totals|costs?|price|is|are"
        r"|approximately|exactly|only|all|the|up to|least|most|have|has|had",
        date_words=r"on|by|until|till|since|before|after|from|through|due|date|dated|between|and|to|this|next"
        r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun",
        time_words="at|until|till|from" if british else "",
        scales={
            "k": "thousand",
            "m": "million",
            "mn": "million",
            "b": "billion",
            "bn": "billion",
            "thousand": "thousand",
            "million": "million",
            "billion": "billion",
            "trillion": "trillion",
        },
        capitals=_CAPITALS,
        states={key: name.replace("_", " ") for key, name in _STATES.items()},
    )
