"""Spanish, of Spain unless its tag tells of another region."""

# ruff: noqa: E501, SIM905 - tables of words

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from voice_loop.reading.language import Clock, Currency, Language, unit_names

_ONES: Final = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
_TENS: Final = "- - - treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS: Final = (
    "- ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
).split()
_ORDINALS: Final = (
    "- primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo"
).split()
_ORDINAL_TENS: Final = (
    "- décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo "
    "nonagésimo"
).split()
MONTHS: Final = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
#: Where decimals have a point, and the dollar sign is a peso's.
_DECIMAL_POINT: Final = frozenset("mx us pr do gt hn ni pa sv 419".split())
_PESOS: Final = frozenset("mx ar cl co uy do cu".split())
_FEMININE: Final = re.compile(
    r"(?:as?|[cs]ión|[cs]iones|dad|dades|tud|tudes|umbres?|noches?|tardes?|veces|vez|clases?|llaves?"
    r"|calles?|partes?|mujer|mujeres)\Z",
    re.IGNORECASE,
)
_MASCULINE: Final = re.compile(
    r"(?:día|días|(?:proble|siste|te|progra|idio|cli|diplo)mas?|mapas?|a)\Z", re.I
)


def cardinal(number: int) -> str:
    """A whole number, masculine, as it stands alone."""
    if number < 30:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" y {_ONES[ones]}" if ones else "")
    if number == 100:
        return "cien"
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return _HUNDREDS[hundreds] + (f" {cardinal(rest)}" if rest else "")
    if number < 10**6:
        thousands, rest = divmod(number, 1000)
        said = "mil" if thousands == 1 else f"{_short(cardinal(thousands))} mil"
    elif number < 10**12:
        millions, rest = divmod(number, 10**6)
        said = "un millón" if millions == 1 else f"{_short(cardinal(millions))} millones"
    else:
        billions, rest = divmod(number, 10**12)
        said = "un billón" if billions == 1 else f"{_short(cardinal(billions))} billones"
    return said + (f" {cardinal(rest)}" if rest else "")


def _short(said: str) -> str:
    """As it stands before a masculine noun."""
    if said.endswith("veintiuno"):
        return said[: -len("uno")] + "ún"
    return said[:-1] if said.endswith("uno") else said


def counted(number: int, noun: str) -> str:
    """A number that agrees with what is counted."""
    said = cardinal(number)
    if not noun:
        return said
    if _FEMININE.search(noun) and not _MASCULINE.fullmatch(noun):
        said = said.replace("cientos", "cientas").replace("quinientos", "quinientas")
        return said[:-1] + "a" if said.endswith("uno") else said
    return _short(said)


def _ordinal(number: int, ending: str) -> str:
    tens, ones = divmod(number, 10)
    if number < len(_ORDINALS):
        said = _ORDINALS[number]
    elif number < 100:
        said = _ORDINAL_TENS[tens] + (f" {_ORDINALS[ones]}" if ones else "")
    else:
        return cardinal(number)
    if ending in {"ª", "a"}:
        return re.sub(r"o\b", "a", said)
    return said[:-1] if ending == "er" and said.endswith("ero") else said


def _date(day: int, month: int, of: int | None, *, first: str) -> str:
    said = f"{first if day == 1 else cardinal(day)} de {MONTHS[month - 1]}"
    return said if of is None else f"{said} de {cardinal(of)}"


def _clock(time: Clock) -> str:
    hour, minute, half = time.hour, time.minute, time.half
    said = counted(hour, "horas")
    if half or hour <= 12:
        said += {0: "", 15: " y cuarto", 30: " y media"}.get(minute, f" y {cardinal(minute)}")
        if not half:
            return said if minute or hour not in {0} else f"{said} horas"
        if half == "a":
            return said + (" de la noche" if hour == 12 else " de la mañana")
        if hour == 12:
            return said + " del mediodía"
        return said + (" de la tarde" if hour < 8 else " de la noche")
    return said + (f" {cardinal(minute)}" if minute else " horas")


_PARTS: Final = {2: "medio", 3: "tercio"}


def _fraction(top: int, bottom: int) -> str | None:
    if not 1 < bottom <= 10 or top > 99:
        return None
    part = _PARTS.get(bottom) or _ORDINALS[bottom]
    return f"{_short(cardinal(top))} {part}{'' if top == 1 else 's'}"


_CENT: Final = ("centavo", "centavos")
_CURRENCIES: Final[Mapping[str, Currency]] = {
    **dict.fromkeys(("$", "US$", "USD"), Currency("dólar", "dólares", *_CENT)),
    **dict.fromkeys(("€", "EUR"), Currency("euro", "euros", "céntimo", "céntimos")),
    **dict.fromkeys(("£", "GBP"), Currency("libra", "libras", "penique", "peniques", feminine=True)),
    **dict.fromkeys(("¥", "JPY"), Currency("yen", "yenes")),
    **dict.fromkeys(("MX$", "MXN"), Currency("peso mexicano", "pesos mexicanos", *_CENT)),
    **dict.fromkeys(("C$", "CAD"), Currency("dólar canadiense", "dólares canadienses", *_CENT)),
    **dict.fromkeys(("A$", "AUD"), Currency("dólar australiano", "dólares australianos", *_CENT)),
    **dict.fromkeys(("R$", "BRL"), Currency("real", "reales", *_CENT)),
    **dict.fromkeys(("S/", "PEN"), Currency("sol", "soles", "céntimo", "céntimos")),
    **dict.fromkeys(("₹", "INR"), Currency("rupia", "rupias", feminine=True)),
    "CHF": Currency("franco suizo", "francos suizos", "céntimo", "céntimos"),
    "ARS": Currency("peso argentino", "pesos argentinos", *_CENT),
    "CLP": Currency("peso chileno", "pesos chilenos"),
    "COP": Currency("peso colombiano", "pesos colombianos", *_CENT),
    "UYU": Currency("peso uruguayo", "pesos uruguayos", *_CENT),
    "CNY": Currency("yuan", "yuanes"),
}  # fmt: skip


def _money(whole: int, cents: str, currency: Currency) -> str:
    unit = currency.one if whole == 1 else currency.many
    said = f"{counted(whole, 'libras' if currency.feminine else 'euros')} {unit}"
    if whole >= 10**6 and not whole % 10**6:
        said = f"{cardinal(whole)} de {unit}"
    if not (part := int(cents or 0)) or not currency.cent:
        return said
    small = f"{counted(part, 'euros')} {currency.cent if part == 1 else currency.cents}"
    return f"{said} con {small}" if whole else small


_SIGNS: Final = {
    "@": "arroba", ".": "punto", "/": "barra", "-": "guion", "_": "guion bajo", "+": "más",
    "&": "y", "#": "almohadilla", "*": "asterisco", "%": "por ciento", "=": "igual", "~": "virgulilla",
    "?": "interrogación", ":": "dos puntos", "°": "grados", "<": "menor que", ">": "mayor que",
    "×": "por", "÷": "entre", "±": "más menos", "≈": "aproximadamente", "≤": "como máximo",
    "≥": "como mínimo", "−": "menos", "§": "artículo", "№": "número", "$": "dólares", "€": "euros",
    ",": "coma", "\\": "barra invertida",
    "number": "número", "minus": "menos", "point": "punto", "to": "a", "per": "por", "by": "por",
    "about": "unos", "and": "y", "extension": "extensión", "version": "versión", "half": "medio",
    "celsius": "centígrados", "fahrenheit": "Fahrenheit", "degree": "grado",
}  # fmt: skip


_UNITS: Final = (
    unit_names("km", "kilómetro") | unit_names("m", "metro") | unit_names("cm", "centímetro") | unit_names("mm", "milímetro")
    | unit_names("kg", "kilo") | unit_names("g gr", "gramo") | unit_names("mg", "miligramo") | unit_names("l L", "litro")
    | unit_names("ml mL", "mililitro") | unit_names("km/h", "kilómetro por hora", "kilómetros por hora")
    | unit_names("m/s", "metro por segundo", "metros por segundo")
    | unit_names("KB kB", "kilobyte") | unit_names("MB", "megabyte") | unit_names("GB", "gigabyte") | unit_names("TB", "terabyte")
    | unit_names("Mbps Mb/s", "megabit por segundo", "megabits por segundo")
    | unit_names("kW", "kilovatio") | unit_names("kWh", "kilovatio hora", "kilovatios hora") | unit_names("W", "vatio")
    | unit_names("V", "voltio") | unit_names("Hz", "hercio") | unit_names("s seg", "segundo") | unit_names("min", "minuto")
    | unit_names("h hs hrs", "hora") | unit_names("m² m2", "metro cuadrado", "metros cuadrados")
    | unit_names("m³ m3", "metro cúbico", "metros cúbicos") | unit_names("lb lbs", "libra") | unit_names("uds", "unidad", "unidades")
)  # fmt: skip
_ABBREVIATIONS: Final = {
    "sr": "señor", "sra": "señora", "srta": "señorita", "sres": "señores", "dr": "doctor",
    "dra": "doctora", "d": "don", "dña": "doña", "prof": "profesor", "profa": "profesora", "ud": "usted",
    "uds": "ustedes", "vd": "usted", "vds": "ustedes", "av": "avenida", "avda": "avenida", "c/": "calle",
    "n.º": "número", "nº": "número", "núm": "número", "nro": "número", "no": "número", "pág": "página",
    "págs": "páginas", "tel": "teléfono", "telf": "teléfono", "tfno": "teléfono", "ext": "extensión",
    "apdo": "apartado", "izq": "izquierda", "dcha": "derecha", "etc": "etcétera", "aprox": "aproximadamente",
    "p. ej": "por ejemplo", "p.ej": "por ejemplo", "ee. uu": "Estados Unidos", "ee.uu": "Estados Unidos",
    "máx": "máximo", "mín": "mínimo", "dpto": "departamento", "depto": "departamento", "esq": "esquina",
    "pta": "puerta", "lic": "licenciado", "ing": "ingeniero", "arq": "arquitecto", "urb": "urbanización",
    "cía": "compañía", "c.p": "código postal", "incl": "incluido", "art": "artículo", "apto": "apartamento", "col": "colonia", "int": "interior",
    "atte": "atentamente", "admón": "administración", "vs": "contra", "sto": "santo", "sta": "santa",
}  # fmt: skip


def spanish(region: str) -> Language:
    """Spanish as it is read in a region (ISO 3166-1, small letters; empty for none)."""
    american = region not in {"", "es"}
    currencies = dict(_CURRENCIES)
    if region in _PESOS:
        currencies["$"] = Currency("peso", "pesos", *_CENT)
    return Language(
        code="es",
        cardinal=cardinal,
        ordinal=_ordinal,
        year=cardinal,
        date=partial(_date, first="primero" if american else "uno"),
        clock=_clock,
        counted=counted,
        fraction=_fraction,
        money=_money,
        currency=currencies.get,
        decimal="." if region in _DECIMAL_POINT else ",",
        signs=_SIGNS
        | ({"#": "numeral"} if american else {})
        | ({"point": "punto"} if region in _DECIMAL_POINT else {"point": "coma"}),
        units=_UNITS,
        month_names=MONTHS,
        months={
            form: number
            for number, name in enumerate(MONTHS, 1)
            for form in (name, name[:3], *(["sept", "setiembre"] if number == 9 else []))
        },
        weekdays={
            "lun": "lunes",
            "mié": "miércoles",
            "jue": "jueves",
            "vie": "viernes",
            "sáb": "sábado",
            "dom": "domingo",
        },
        abbreviations=_ABBREVIATIONS,
        undotted=frozenset({"avda", "etc", "tfno", "telf", "dpto", "depto", "srta"}),
        code_words=r"códigos?|pin|clave|contraseña|habitación|puerta|vuelo|número|números|nº|n\.º|núm|id"
        r"|pedido|referencia|factura|cuenta|extensión|ext|caso|reserva|póliza|localizador|postal|cp|c\.p"
        r"|matrícula|terminad[oa] en|termina en|cifras|dígitos|tarjeta|marque|pulse|teléfono|tel|móvil|fax"
        r"|llame al?|sala|aula|expediente|dni|nie|autobús|línea|cliente|apartado|piso|despacho",
        code_links="es|son|el|la|los|las|de|del|su|sus|número|código|y|o|en|termina|que|siguiente",
        small_words=frozenset(
            "y o e u en de a al del por para con que si el la los las es son está gracias hoy mañana ahora aquí su no".split()
        ),
        year_words=r"en|desde|hasta|de|del|año|antes|después|durante|hacia|verano|invierno|navidad",
        quantity_words=r"unos|unas|más|menos|casi|total|cuesta|cuestan|precio|son|es|hay|tiene|tenemos|los|las|solo|todos|todas",
        date_words=r"el|hasta|desde|antes|después|día|fecha|para|lunes|martes|miércoles|jueves|viernes|sábado"
        r"|domingo|al|del",
        time_words="las|la",
        scales={
            "k": "mil",
            "m": "millones",
            "mil": "mil",
            "millón": "millón",
            "millones": "millones",
        },
        capitals=frozenset(
            "SÍ NO EL LA LOS LAS UN UNA DE DEL AL EN CON POR SIN QUE SU SUS MI TU ES SON HAY MUY MÁS OK "
            "PIN SIM IVA ONU OTAN RENFE ONCE AVE NIE NIF HOY YA NI SE LE LO TE ME DOS TRES".split()
        ),
        letters={"Y": "i griega"},
    )
