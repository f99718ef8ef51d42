"""Languages whose numbers come from num2words: some with words for signs and dates, all others
with what every voice knows by itself."""

# ruff: noqa: E501, SIM905 - tables of words

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from num2words import CONVERTER_CLASSES, num2words

from voice_loop.reading.language import Clock, Currency, Language

#: Where a point divides decimals.
_DECIMAL_POINT: Final = frozenset(
    "ja ko zh th he hi bn ta te kn ml mr ur cy ga sw ms my km lo ne si".split()
)


#: num2words loops for ever at some of these languages' numbers.
_ENDLESS: Final = frozenset({"am"})
_CONVERTERS: Final = CONVERTER_CLASSES.keys() - _ENDLESS


@dataclass(frozen=True)
class _Words:
    """What num2words does not know of a language."""

    signs: Mapping[str, str]
    months: str
    clock: str
    """With hour and minute; `{}` twice."""
    hours: str
    """The full hour."""
    currencies: Mapping[str, Currency]
    units: Mapping[str, str]
    abbreviations: Mapping[str, str]
    date: str = "{day} {month} {year}"
    first: str = ""
    """The first of a month, where only that is an ordinal; `*` where all are."""
    link: str = " "
    """Between money and cents."""
    code_words: str = ""
    date_words: str = ""
    time_words: str = ""
    scales: Mapping[str, str] = field(default_factory=dict)
    fractions: str = ""
    """A half, a third, two thirds, a quarter, three quarters; commas between."""


_GERMAN: Final = _Words(
    signs={
        "@": "at", ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", "+": "plus",
        "&": "und", "#": "Raute", "*": "Stern", "%": "Prozent", "=": "gleich", "~": "Tilde",
        "?": "Fragezeichen", ":": "Doppelpunkt", "°": "Grad", "×": "mal", "№": "Nummer", ",": "Komma", "<": "kleiner als", ">": "größer als",
        "number": "Nummer", "minus": "minus", "point": "Komma", "to": "bis", "per": "pro", "by": "mal",
        "about": "etwa", "and": "und", "extension": "Durchwahl", "version": "Version", "half": "einhalb",
        "celsius": "Celsius", "fahrenheit": "Fahrenheit", "degree": "Grad",
    },
    date_words=r"am|vom|bis|bis zum|zum|ab|seit|den|der|dem|zwischen|und|nach|vor|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|(?:mo|di|mi|do|fr|sa|so)\.",
    time_words=r"um|ab|bis|von|gegen|vor|nach",
    scales={"mio": "Millionen", "million": "Million", "millionen": "Millionen", "mrd": "Milliarden", "milliarde": "Milliarde", "milliarden": "Milliarden", "tsd": "tausend", "tausend": "tausend"},
    fractions="ein halb,ein Drittel,zwei Drittel,ein Viertel,drei Viertel",
    months="Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    clock="{} Uhr {}", hours="{} Uhr", first="*", link=" ",
    currencies={
        "€": Currency("Euro", "Euro", "Cent", "Cent"), "$": Currency("Dollar", "Dollar", "Cent", "Cent"),
        "£": Currency("Pfund", "Pfund", "Penny", "Pence"), "CHF": Currency("Franken", "Franken", "Rappen", "Rappen"),
    },
    units={
        "km": "Kilometer", "m": "Meter", "cm": "Zentimeter", "mm": "Millimeter", "kg": "Kilogramm", "g": "Gramm",
        "mg": "Milligramm", "l": "Liter", "ml": "Milliliter", "km/h": "Kilometer pro Stunde", "GB": "Gigabyte",
        "MB": "Megabyte", "kWh": "Kilowattstunden", "min": "Minuten", "Min": "Minuten", "Std": "Stunden", "h": "Stunden", "m²": "Quadratmeter",
    },
    abbreviations={
        "dr": "Doktor", "hr": "Herr", "hrn": "Herrn", "fr": "Frau", "str": "Straße", "nr": "Nummer", "z. b": "zum Beispiel",
        "z.b": "zum Beispiel", "d. h": "das heißt", "d.h": "das heißt", "usw": "und so weiter",
        "bzw": "beziehungsweise", "ca": "circa", "tel": "Telefon", "inkl": "inklusive", "zzgl": "zuzüglich",
        "mwst": "Mehrwertsteuer", "prof": "Professor", "st": "Sankt", "evtl": "eventuell", "ggf": "gegebenenfalls",
        "u. a": "unter anderem", "u.a": "unter anderem", "max": "maximal", "min": "mindestens", "std": "Stunden",
        "mio": "Millionen", "mrd": "Milliarden", "tsd": "tausend",
    },
    code_words="code|codes|pin|nummer|nr|zimmer|raum|flug|postleitzahl|plz|konto|kundennummer|bestellung"
    r"|rechnung|kennwort|telefon|durchwahl|gate|\w+nummer|ziffern|taste",
)  # fmt: skip
_FRENCH: Final = _Words(
    signs={
        "@": "arobase", ".": "point", "/": "barre oblique", "-": "tiret", "_": "tiret bas", "+": "plus",
        "&": "et", "#": "dièse", "*": "étoile", "%": "pour cent", "=": "égale", "~": "tilde",
        "?": "point d'interrogation", ":": "deux points", "°": "degrés", "×": "fois", "№": "numéro", ",": "virgule",
        "<": "inférieur à", ">": "supérieur à",
        "number": "numéro", "minus": "moins", "point": "virgule", "to": "à", "per": "par", "by": "par",
        "about": "environ", "and": "et", "extension": "poste", "version": "version", "half": "demi",
        "celsius": "Celsius", "fahrenheit": "Fahrenheit", "degree": "degré",
    },
    date_words=r"le|du|au|avant le|dès|depuis|jusqu'au|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche",
    time_words=r"à|vers|dès|jusqu'à|entre",
    scales={"million": "million", "millions": "millions", "milliard": "milliard", "milliards": "milliards", "mille": "mille"},
    fractions="un demi,un tiers,deux tiers,un quart,trois quarts",
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    clock="{} heures {}", hours="{} heures", first="premier",
    currencies={
        "€": Currency("euro", "euros", "centime", "centimes"), "$": Currency("dollar", "dollars", "cent", "cents"),
        "£": Currency("livre", "livres", "penny", "pence", feminine=True), "CHF": Currency("franc suisse", "francs suisses", "centime", "centimes"),
    },
    units={
        "km": "kilomètres", "m": "mètres", "cm": "centimètres", "mm": "millimètres", "kg": "kilos", "g": "grammes",
        "mg": "milligrammes", "l": "litres", "ml": "millilitres", "km/h": "kilomètres à l'heure", "Go": "gigaoctets",
        "Mo": "mégaoctets", "kWh": "kilowattheures", "min": "minutes", "m²": "mètres carrés",
    },
    abbreviations={
        "m": "monsieur", "mme": "madame", "mlle": "mademoiselle", "dr": "docteur", "n°": "numéro", "av": "avenue",
        "bd": "boulevard", "etc": "et cetera", "p. ex": "par exemple", "p.ex": "par exemple", "tél": "téléphone", "appt": "appartement",
        "env": "environ", "c.-à-d": "c'est-à-dire", "st": "saint", "ste": "sainte", "max": "maximum", "min": "minimum",
    },
    code_words="codes?|pin|numéros?|chambre|salle|vol|postal|compte|commande|facture|référence|téléphone"
    "|poste|porte|dossier|touche",
)  # fmt: skip
_ITALIAN: Final = _Words(
    signs={
        "@": "chiocciola", ".": "punto", "/": "barra", "-": "trattino", "_": "trattino basso", "+": "più",
        "&": "e", "#": "cancelletto", "*": "asterisco", "%": "per cento", "=": "uguale", "~": "tilde",
        "?": "punto interrogativo", ":": "due punti", "°": "gradi", "×": "per", "№": "numero", ",": "virgola",
        "<": "minore di", ">": "maggiore di",
        "number": "numero", "minus": "meno", "point": "virgola", "to": "a", "per": "al", "by": "per",
        "about": "circa", "and": "e", "extension": "interno", "version": "versione", "half": "mezzo",
        "celsius": "Celsius", "fahrenheit": "Fahrenheit", "degree": "grado",
    },
    date_words=r"il|dal|al|del|entro|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica",
    time_words=r"alle|dalle|le|ore|entro le|verso le",
    scales={"milione": "milione", "milioni": "milioni", "miliardo": "miliardo", "miliardi": "miliardi", "mila": "mila"},
    fractions="un mezzo,un terzo,due terzi,un quarto,tre quarti",
    months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    clock="{} e {}", hours="{}", first="primo", link=" e ",
    currencies={
        "€": Currency("euro", "euro", "centesimo", "centesimi"), "$": Currency("dollaro", "dollari", "centesimo", "centesimi"),
        "£": Currency("sterlina", "sterline", "penny", "pence", feminine=True), "CHF": Currency("franco svizzero", "franchi svizzeri", "centesimo", "centesimi"),
    },
    units={
        "km": "chilometri", "m": "metri", "cm": "centimetri", "mm": "millimetri", "kg": "chili", "g": "grammi",
        "mg": "milligrammi", "l": "litri", "ml": "millilitri", "km/h": "chilometri orari", "GB": "gigabyte",
        "MB": "megabyte", "kWh": "chilowattora", "min": "minuti", "m²": "metri quadrati",
    },
    abbreviations={
        "sig": "signor", "sig.ra": "signora", "sig.na": "signorina", "dott": "dottor", "dott.ssa": "dottoressa", "dr": "dottor",
        "prof": "professor", "ecc": "eccetera", "n": "numero", "tel": "telefono", "p. es": "per esempio", "p.es": "per esempio",
        "int": "interno", "circa": "circa", "max": "massimo", "min": "minimo", "avv": "avvocato", "ing": "ingegner",
    },
    code_words="codice|codici|pin|numero|numeri|camera|stanza|volo|postale|cap|conto|ordine|fattura"
    "|riferimento|telefono|interno|pratica|tasto",
)  # fmt: skip
_PORTUGUESE: Final = _Words(
    signs={
        "@": "arroba", ".": "ponto", "/": "barra", "-": "hífen", "_": "sublinhado", "+": "mais", "&": "e",
        "#": "cardinal", "*": "asterisco", "%": "por cento", "=": "igual", "~": "til", "?": "interrogação",
        ":": "dois pontos", "°": "graus", "×": "vezes", "№": "número", ",": "vírgula", "<": "menor que", ">": "maior que",
        "number": "número", "minus": "menos", "point": "vírgula", "to": "a", "per": "por", "by": "por",
        "about": "cerca de", "and": "e", "extension": "ramal", "version": "versão", "half": "meio",
        "celsius": "Celsius", "fahrenheit": "Fahrenheit", "degree": "grau",
    },
    date_words=r"dia|em|no dia|até|desde|segunda|terça|quarta|quinta|sexta|sábado|domingo",
    time_words=r"às|as|das|até às",
    scales={"milhão": "milhão", "milhões": "milhões", "bilhão": "bilhão", "bilhões": "bilhões", "mil": "mil"},
    fractions="meio,um terço,dois terços,um quarto,três quartos",
    months="janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    clock="{} e {}", hours="{} horas", first="primeiro", link=" e ", date="{day} de {month} de {year}",
    currencies={
        "€": Currency("euro", "euros", "cêntimo", "cêntimos"), "$": Currency("dólar", "dólares", "cêntimo", "cêntimos"),
        "£": Currency("libra", "libras", "péni", "pence", feminine=True), "R$": Currency("real", "reais", "centavo", "centavos"),
    },
    units={
        "km": "quilómetros", "m": "metros", "cm": "centímetros", "mm": "milímetros", "kg": "quilos", "g": "gramas",
        "mg": "miligramas", "l": "litros", "ml": "mililitros", "km/h": "quilómetros por hora", "GB": "gigabytes",
        "MB": "megabytes", "kWh": "quilowatts-hora", "min": "minutos", "m²": "metros quadrados",
    },
    abbreviations={
        "sr": "senhor", "sra": "senhora", "dr": "doutor", "dra": "doutora", "n.º": "número", "nº": "número", "av": "avenida",
        "tel": "telefone", "etc": "etcétera", "p. ex": "por exemplo", "p.ex": "por exemplo", "prof": "professor",
        "profa": "professora", "apto": "apartamento", "máx": "máximo", "mín": "mínimo", "eng": "engenheiro",
    },
    code_words="códigos?|pin|senha|números?|quarto|sala|voo|postal|cep|conta|pedido|fatura|referência"
    "|telefone|ramal|processo|tecla",
)  # fmt: skip
_DUTCH: Final = _Words(
    signs={
        "@": "apenstaartje", ".": "punt", "/": "schuine streep", "-": "streepje", "_": "laag streepje", "+": "plus",
        "&": "en", "#": "hekje", "*": "sterretje", "%": "procent", "=": "is gelijk aan", "~": "tilde",
        "?": "vraagteken", ":": "dubbele punt", "°": "graden", "×": "keer", "№": "nummer", ",": "komma",
        "<": "kleiner dan", ">": "groter dan",
        "number": "nummer", "minus": "min", "point": "komma", "to": "tot", "per": "per", "by": "bij",
        "about": "ongeveer", "and": "en", "extension": "toestel", "version": "versie", "half": "een half",
        "celsius": "Celsius", "fahrenheit": "Fahrenheit", "degree": "graad",
    },
    date_words=r"op|vanaf|tot|voor|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag",
    time_words=r"om|vanaf|tot|rond",
    scales={"miljoen": "miljoen", "miljard": "miljard", "duizend": "duizend"},
    fractions="een half,een derde,twee derde,een kwart,drie kwart",
    months="januari februari maart april mei juni juli augustus september oktober november december",
    clock="{} uur {}", hours="{} uur",
    currencies={
        "€": Currency("euro", "euro", "cent", "cent"), "$": Currency("dollar", "dollar", "cent", "cent"),
        "£": Currency("pond", "pond", "penny", "pence"), "CHF": Currency("frank", "frank", "rappen", "rappen"),
    },
    units={
        "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "kg": "kilo", "g": "gram",
        "mg": "milligram", "l": "liter", "ml": "milliliter", "km/h": "kilometer per uur", "GB": "gigabyte",
        "MB": "megabyte", "kWh": "kilowattuur", "min": "minuten", "m²": "vierkante meter",
    },
    abbreviations={
        "dhr": "de heer", "mevr": "mevrouw", "dr": "dokter", "nr": "nummer", "bijv": "bijvoorbeeld", "enz": "enzovoort",
        "tel": "telefoon", "ca": "circa", "d.w.z": "dat wil zeggen", "o.a": "onder andere", "max": "maximaal", "min": "minimaal",
        "prof": "professor", "str": "straat", "incl": "inclusief", "excl": "exclusief", "m.b.t": "met betrekking tot",
    },
    code_words=r"codes?|pin|pincode|nummers?|kamer|vlucht|postcode|rekening|bestelling|factuur|referentie"
    r"|telefoon|toestel|\w+nummer|toets",
)  # fmt: skip
_KNOWN: Final[Mapping[str, _Words]] = {
    "de": _GERMAN, "fr": _FRENCH, "it": _ITALIAN, "pt": _PORTUGUESE, "nl": _DUTCH,
}  # fmt: skip
_GERMAN_WEEKDAYS: Final = {
    "mo": "Montag", "di": "Dienstag", "mi": "Mittwoch", "do": "Donnerstag", "fr": "Freitag",
    "sa": "Samstag", "so": "Sonntag",
}  # fmt: skip
#: In the north and east of Europe.
_TIME_WORDS: Final = r"kl\.?|klockan|klokken|klo|kello|godz\.?"
_FRACTIONS: Final = ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4))
_SMALL_WORDS: Final = frozenset(
    (
        "und oder in im am um an auf bis ist bitte et ou le la les dans pour est à e o il un una per "
        "para com em en of op te van voor is"
    ).split()
)
_CODES: Final = {"EUR": "€", "USD": "$", "US$": "$", "GBP": "£", "BRL": "R$"}


def _said(number: int, to: str, lang: str) -> str:
    """A number in words; in digits where num2words has none for it."""
    try:
        return str(num2words(number, lang=lang, to=to)).replace(", ", " ")
    # Each of its languages fails in its own way at what it cannot say.
    except Exception:
        return str(number)


def other(code: str, region: str) -> Language:
    """A language that is neither English nor Spanish, by its ISO 639-1 code and region."""
    local = f"{code}_{region.upper()}"
    lang = next((one for one in (local, code) if one in _CONVERTERS), "")
    lang = {"nb": "no", "nn": "no"}.get(code, lang)
    words = _KNOWN.get(code)
    cardinal = partial(_said, to="cardinal", lang=lang) if lang else str
    ordinal = partial(_said, to="ordinal", lang=lang) if lang else str
    months = [] if words is None else words.months.split()

    def date(day: int, month: int, year: int | None) -> str:
        of = "" if year is None else spoken_year(year)
        if words is None:
            return ", ".join(filter(None, (cardinal(day), cardinal(month), of)))
        number = cardinal(day)
        if words.first == "*":
            number = f"{ordinal(day)}n"
        elif words.first and day == 1:
            number = words.first
        form = words.date if of else words.date.partition(" de {year}")[0].replace(" {year}", "")
        return form.format(day=number, month=months[month - 1], year=of)

    def spoken_year(number: int) -> str:
        return (
            _said(number, "year", lang)
            if code in {"de", "nl", "sv", "da", "no", "nb"}
            else cardinal(number)
        )

    def clock(time: Clock) -> str:
        hour = time.hour % 12 + (12 if time.half == "p" else 0) if time.half else time.hour
        if not lang:
            return f"{hour}:{time.minute:02}"
        if words is None:
            return f"{cardinal(hour)} {cardinal(time.minute)}" if time.minute else cardinal(hour)
        counted_hour = _hours(code, cardinal(hour), hour)
        said = words.clock if time.minute else words.hours
        said = said.format(counted_hour, cardinal(time.minute))
        return said.replace("heures", "heure") if hour == 1 else said

    def counted(number: int, noun: str) -> str:
        if number == 1:
            one = {"de": "ein", "it": "un"}.get(code)
            if one is not None and noun:
                return one
        return cardinal(number)

    def fraction(top: int, bottom: int) -> str | None:
        if words is None or (top, bottom) not in _FRACTIONS:
            return None
        return words.fractions.split(",")[_FRACTIONS.index((top, bottom))]

    def money(whole: int, cents: str, currency: Currency) -> str:
        unit = currency.one if whole == 1 else currency.many
        said = f"{counted(whole, unit)} {unit}"
        if not (part := int(cents or 0)) or not currency.cent or words is None:
            return said
        if code in {"de", "nl", "fr"} and whole:
            return f"{said} {cardinal(part)}"
        small = f"{counted(part, currency.cent)} {currency.cent if part == 1 else currency.cents}"
        return f"{said}{words.link}{small}" if whole else small

    def currency(name: str) -> Currency | None:
        return None if words is None else words.currencies.get(_CODES.get(name, name))

    return Language(
        code=code,
        cardinal=cardinal,
        ordinal=lambda number, _: ordinal(number),
        year=spoken_year,
        date=date,
        clock=clock,
        counted=counted,
        fraction=fraction,
        money=money,
        currency=currency,
        decimal="." if code in _DECIMAL_POINT else ",",
        signs=_own_signs(lang) if words is None else words.signs,
        units={} if words is None else {name: (one, one) for name, one in words.units.items()},
        month_names=months,
        months={
            form: number
            for number, name in enumerate(months, 1)
            for form in (name.lower(), name[:3].lower())
        },
        abbreviations={} if words is None else words.abbreviations,
        undotted=frozenset(("mme", "mlle", "dr")),
        weekdays=_GERMAN_WEEKDAYS if code == "de" else {},
        date_words="" if words is None else words.date_words,
        time_words=_TIME_WORDS if words is None else words.time_words,
        scales={} if words is None else words.scales,
        code_words="" if words is None else words.code_words,
        code_links="ist|die|der|lautet|le|la|de|est|il|è|o|é|het|is|num[ée]ro|nummer|numero",
        small_words=_SMALL_WORDS,
    )


def _own_signs(lang: str) -> dict[str, str]:
    """The words that num2words has for decimals and negative numbers."""
    if not lang:
        return {}
    converter = CONVERTER_CLASSES[lang]
    said = {
        "point": getattr(converter, "pointword", None),
        "minus": getattr(converter, "negword", None),
    }
    # Some decline it, some have none.
    words = {name: word.strip() for name, word in said.items() if isinstance(word, str)}
    return {name: word for name, word in words.items() if word.isalpha()}


def _hours(code: str, said: str, hour: int) -> str:
    """The hour before the word for hours."""
    if hour in {1, 21}:
        return {
            "de": said.removesuffix("s") if hour == 1 else said,
            "fr": said + "e" if said.endswith("un") else said,
            "pt": said.replace("um", "uma"),
            "it": "l'una" if hour == 1 else said,
        }.get(code, said)
    return said.replace("dois", "duas") if code == "pt" else said
