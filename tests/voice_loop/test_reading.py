"""What is said for what is written, and how much of it each written word takes."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import CONVERTER_CLASSES

from tests.voice_loop.scripted import RATE, Detector, Ears, Mind, Mouth, PhoneCall
from voice_loop.briefing import speak
from voice_loop.config import ConversationConfig
from voice_loop.ports import Engines
from voice_loop.reading import Reader

# ruff: noqa: E501 - a line for each

ENGLISH = {
    # Telephone numbers and codes
    "Call +15551234567 now.": "Call plus one, five five five, one two three, four five six seven now.",
    "+1 (415) 555-0132": "plus one, four one five, five five five, zero one three two",
    "(415) 555-0132": "four one five, five five five, zero one three two",
    "415-555-0132": "four one five, five five five, zero one three two",
    "415.555.0132": "four one five, five five five, zero one three two",
    "555-0132": "five five five, zero one three two",
    "4155550132": "four one five, five five five, zero one three two",
    "1-800-FLOWERS": "one, eight zero zero, flowers",
    "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight",
    "+491711234567": "plus four nine, one seven one, one two three, four five six seven",
    "555-0132 ext. 12": "five five five, zero one three two, extension one two",
    "4111 1111 1111 1111": "four one one one, one one one one, one one one one, one one one one",
    "123-45-6789": "one two three, four five, six seven eight nine",
    "room 4521": "room four five two one",
    "Your code is 4521.": "Your code is four five two one.",
    "order #4521": "order number four five two one",
    "4521": "four five two one",
    "4521 people": "four thousand five hundred twenty-one people",
    "00417": "zero zero four one seven",
    "Beverly Hills, CA 90210.": "Beverly Hills, California nine zero two one zero.",
    "the zip is 90210": "the zip is nine zero two one zero",
    "apt. 4B": "apartment four B",
    "A1B2": "A one B two",
    "ABC-1234": "A B C, one two three four",
    "Flight BA283": "Flight B A two eight three",
    "COVID-19": "covid nineteen",
    "call 9-1-1": "call nine, one, one",
    "+44 (0)20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight",
    "Portland, OR 97201-1234": "Portland, Oregon nine seven two zero one, one two three four",
    "12345678": "one two three four, five six seven eight",
    "order #A-12345": "order number A, one two three four five",
    "Flight AA 1234 is here": "Flight A A one two three four is here",
    "call 555 0132": "call five five five, zero one three two",
    "room 12B": "room one two B",
    "00:1B:44:11:3A:B7": "zero zero, one B, four four, one one, three A, B seven",
    "INV-2026-00417": "I N V, two zero two six, zero zero four one seven",
    "10ish": "ten ish",
    "2-for-1": "two-for-one",
    "Suite 200": "Suite two hundred",
    # Years, dates and times
    "in 2026": "in twenty twenty-six",
    "since 1905": "since nineteen oh five",
    "the 1990s": "the nineteen nineties",
    "on 3/4/2026": "on March fourth, twenty twenty-six",
    "03/04/2026": "March fourth, twenty twenty-six",
    "13/4/2026": "April thirteenth, twenty twenty-six",
    "2026-03-04": "March fourth, twenty twenty-six",
    "2026-03-04T10:30:00Z": "March fourth, twenty twenty-six, ten thirty",
    "12/25": "December twenty-fifth",
    "3/15": "March fifteenth",
    "exp. 04/27": "exp. zero four slash twenty-seven",
    "on 3/4 at 5": "on March fourth at five",
    "March 4, 2026": "March fourth, twenty twenty-six",
    "Mon, Mar 4th": "Monday, March fourth",
    "Mon.–Fri., 9 a.m.–5 p.m.": "Monday to Friday, nine a.m. to five p.m.",
    "Come Mon–Fri.": "Come Monday to Friday.",
    "in Jan. or Feb.": "in January or February.",
    "Mon–Fri": "Monday to Friday",
    "8:00 AM - 5:00 PM": "eight a.m. to five p.m.",
    "March 4–6": "March fourth to sixth",
    "the 4th of July": "the fourth of July",
    "March 2026": "March twenty twenty-six",
    "at 3:30pm": "at three thirty p.m.",
    "at 9:05 a.m. sharp": "at nine oh five a.m. sharp",
    "15:00": "three p.m.",
    "at 17:30.": "at five thirty p.m.",
    "04.03.2026": "March fourth, twenty twenty-six",
    "mid-2026": "mid-twenty twenty-six",
    "10:00": "ten o'clock",
    "10am–2pm": "ten a.m. to two p.m.",
    "10-11am": "ten to eleven a.m.",
    "9-5": "nine to five",
    "24/7": "twenty-four seven",
    # Amounts
    "$1,234.50": "one thousand two hundred thirty-four dollars and fifty cents",
    "$1": "one dollar",
    "$0.50": "fifty cents",
    "$1.5 million": "one point five million dollars",
    "$5–$10": "five to ten dollars",
    "$20/month": "twenty dollars per month",
    "-$5": "minus five dollars",
    "EUR 20": "twenty euros",
    "20,50 €": "twenty euros and fifty cents",
    "£3.50": "three pounds and fifty pence",
    "50¢": "fifty cents",
    "5%": "five percent",
    "10–12%": "ten to twelve percent",
    "72°F": "seventy-two degrees Fahrenheit",
    "-5 °C": "minus five degrees Celsius",
    "5 kg": "five kilograms",
    "1 kg": "one kilogram",
    "60 mph": "sixty miles per hour",
    "the 21st": "the twenty-first",
    "1/2": "one half",
    "2 1/2": "two and a half",
    "¾": "three quarters",
    "2-3 days": "two to three days",
    "v2.1.3": "version two point one point three",
    "3.14": "three point one four",
    "1,234,567": "one million two hundred thirty-four thousand five hundred sixty-seven",
    "12000 people": "twelve thousand people",
    "1 000 000": "one million",
    "3:1": "three to one",
    "1,00,000": "one hundred thousand",
    "$.50": "fifty cents",
    "1.5M users": "one point five million users",
    "10x": "ten times",
    "3x4": "three by four",
    "4.5/5": "four point five out of five",
    "10/10": "ten out of ten",
    "4/5 stars": "four out of five stars",
    "1,2,3": "one,two,three",
    "500-1000 people": "five hundred to one thousand people",
    "a 10-minute walk": "a ten-minute walk",
    "4521 Oak Street": "forty-five twenty-one Oak Street",
    # Words
    "Dr. Smith": "Doctor Smith",
    "12 Main St.": "twelve Main Street.",
    "St. Mary's": "Saint Mary's",
    "No. 5": "number five",
    "tea, e.g. green": "tea, for example green",
    "Milk, etc.": "Milk, et cetera.",
    "the FAQ": "the F A Q",
    "Q&A": "Q and A",
    "NASA": "nasa",
    "the CEO": "the C E O",
    "PDFs": "P D F's",
    "U.S. offices": "U S offices",
    "J. R. R. Tolkien": "J R R Tolkien",
    "PLEASE CALL BACK": "please call back",
    # Addresses and signs
    "Write to a@b.example.": "Write to A at B dot example.",
    "maria_lopez@c.example": "maria underscore lopez at C dot example",
    "john.doe99@x-ray.co.uk": "john dot doe nine nine at X dash ray dot co dot U K",
    "https://www.c.example/pay?id=7": "W W W dot C dot example slash pay question mark id equals seven",
    "visit clinic.com.": "visit clinic dot com.",
    "J.DOE@CLINIC.COM": "J dot doe at clinic dot com",
    "report.pdf": "report dot P D F",
    "tea & milk": "tea and milk",
    "press # or *": "press pound or star",
    "A+ or C++": "A plus or C plus plus",
    "192.168.1.10": "one nine two dot one six eight dot one dot one zero",
    "well, yes": "well, yes",
    "It's 3 PM EST.": "It's three p.m. E S T.",
    "at 9:30 GMT. Then": "at nine thirty G M T. Then",
    "3 PM PDT or 5 p.m. MT.": "three p.m. P D T or five p.m. M T.",
    "3 PM WEST. Go west.": "three p.m. W E S T. Go west.",
    "10²@c.example": "one zero two at C dot example",
    "ſep 5": "September fifth",
    "$5 mİllion": "five million dollars",
    "5%-10%": "five percent to ten percent",
    "20°-25°": "twenty degrees to twenty-five degrees",
    "5€-10€": "five euros to ten euros",
    "$3.459 a gallon": "three point four five nine dollars a gallon",
    "$1,234": "one thousand two hundred thirty-four dollars",
    "€1.234": "one thousand two hundred thirty-four euros",
    "Your code is 123-456.": "Your code is one two three, four five six.",
    "The code is 482-913, ok": "The code is four eight two, nine one three, ok",
    "482-913": "four eight two, nine one three",
    "Your code is 123 456.": "Your code is one two three, four five six.",
    "Your code: 12 34 56.": "Your code: one two, three four, five six.",
    "OTP 482 913": "O T P four eight two, nine one three",
    "Invoice 2024-0042": "Invoice two zero two four, zero zero four two",
    "Order 2024-001.": "Order two zero two four, zero zero one.",
    "Case 12-3456": "Case one two, three four five six",
    "Suite 100-200": "Suite one hundred to two hundred",
    "Pages 123-146 and 201-236.": "Pages one hundred twenty-three to one hundred forty-six and two hundred one to two hundred thirty-six.",
    "150-200 people": "one hundred fifty to two hundred people",
    "At 24:00": "At midnight",
    "2h 30m": "two hours thirty minutes",
    "1:30:45": "one thirty and forty-five seconds",
    "3/10-3/14": "March tenth to March fourteenth",
    "Your 401k plan": "Your four oh one K plan",
    "401(k)": "four oh one K",
}
BRITISH = {
    "3/4/2026": "the third of April, twenty twenty-six",
    "on the 4th of March": "on the fourth of March",
    "1,250": "one thousand two hundred and fifty",
    "020 7946 0958": "zero two zero, seven nine four six, zero nine five eight",
    "press #": "press hash",
    "from 1.50 to 2.50 pounds": "from one point five zero to two point five zero pounds",
    "at 14.30": "at two thirty p.m.",
}
SPANISH = {
    "Llame al +34 912 34 56 78.": "Llame al más tres cuatro, nueve uno dos, tres cuatro, cinco seis, siete ocho.",
    "600 123 456": "seis cero cero, uno dos tres, cuatro cinco seis",
    "habitación 4521": "habitación cuatro cinco dos uno",
    "4521 personas": "cuatro mil quinientas veintiuna personas",
    "21 años": "veintiún años",
    "1 hora": "una hora",
    "3/4/2026": "tres de abril de dos mil veintiséis",
    "el 4 de marzo de 2026": "el cuatro de marzo de dos mil veintiséis",
    "a las 15:30": "a las quince treinta",
    "a las 3:30 p. m. mejor": "a las tres y media de la tarde mejor",
    "1.234,50 €": "mil doscientos treinta y cuatro euros con cincuenta céntimos",
    "3,5 km": "tres coma cinco kilómetros",
    "5 %": "cinco por ciento",
    "20 °C": "veinte grados centígrados",
    "1º y 2ª": "primero y segunda",
    "Sr. López": "señor López",
    "c/ Mayor n.º 5": "calle Mayor número cinco",
    "EE. UU.": "Estados Unidos",
    "ana@c.es": "ana arroba C punto E S",
    "tú & yo": "tú y yo",
    "y/o": "y o",
    "siglo XXI": "siglo veintiuno",
    "1,5 millones €": "uno coma cinco millones de euros",
    "€ 1 millón": "un millón de euros",
    "a las 15.30": "a las quince treinta",
    "28001 Madrid": "dos ocho cero cero uno Madrid",
}
MEXICAN = {
    "$1,234.50": "mil doscientos treinta y cuatro pesos con cincuenta centavos",
    "3.5": "tres punto cinco",
    "1 de enero": "primero de enero",
}
GERMAN = {
    "am 3.4.2026 um 15:30 Uhr": "am dritten April zweitausendsechsundzwanzig um fünfzehn Uhr dreißig",
    "1.234,50 €": "eintausendzweihundertvierunddreißig Euro fünfzig",
    "Zimmer 4521": "Zimmer vier fünf zwei eins",
    "21 Personen": "einundzwanzig Personen",
    "im 3. Stock": "im dritten Stock",
    "3/4": "drei Viertel",
    "Hauptstr. 12": "Hauptstraße zwölf",
    "z. B. heute": "zum Beispiel heute",
    "um 15.30 mit 15,30": "um fünfzehn Uhr dreißig mit fünfzehn Komma drei null",
    "am 3.4. um 9": "am dritten April um neun",
    "am 03.04.": "am dritten April.",
    "am 24.12.": "am vierundzwanzigsten Dezember.",
    "vom 3.4. bis 5.4. zu": "vom dritten April bis fünften April zu",
    "Mo. bis Fr.": "Montag bis Freitag.",
    "um 15.30 Euro": "um fünfzehn Komma drei null Euro",
    "Mo-Fr": "Montag bis Freitag",
    "Fr. 9-12 Uhr": "Freitag neun bis zwölf Uhr",
    "Hr. und Fr. Müller": "Herr und Frau Müller",
    "So. Jetzt am So. um 9": "So. Jetzt am Sonntag um neun",
    "1,5 Mio. Kunden": "eins Komma fünf Millionen Kunden",
    "1 Mio. €": "eine Million Euro",
    "1,5 Mio. €": "eins Komma fünf Millionen Euro",
    "100,- €": "einhundert Euro",
    "a@c.de": "A at C Punkt D E",
}
FRENCH = {
    "le 1er mai 2026 à 15h30": "le premier mai deux mille vingt-six à quinze heures trente",
    "1 234,50 €": "mille deux cent trente-quatre euros cinquante",
    "2 millions d'euros ou 2 millions €": "deux millions d'euros ou deux millions d'euros",
    "le 03/04": "le trois avril",
    "01 23 45 67 89": "zéro un, deux trois, quatre cinq, six sept, huit neuf",
}
OTHERS = {
    ("it", "alle 15:30"): "alle quindici e trenta",
    ("pt", "20,50 €"): "vinte euros e cinquenta cêntimos",
    ("nl", "21 mensen"): "eenentwintig mensen",
    ("pl", "123"): "sto dwadzieścia trzy",
    ("sv", "3,5"): "tre komma fem",
    ("sv", "kl. 15.30"): "kl. femton trettio",
    ("it", "alle 13.30"): "alle tredici e trenta",
    ("pt-BR", "R$ 1,5 milhão"): "um vírgula cinco milhão de reais",
    ("ru", "3,5"): "3,5",
    ("ru", "1 234,50 руб."): "1 234,50 руб.",
    ("ru", "1.2.3"): "один.два.три",
    ("ru", "50,5%"): "50,5%",
    ("ja", "3.5度"): "3.5度",
    ("ar", "1,234.50"): "1,234.50",
    ("th", "1,234.50"): "1,234.50",
    ("ja", "電話は03-1234-5678です"): "電話は零 三, 一 二 三 四, 五 六 七 八です",
    # Without words for numbers, digits are left to the voice, one by one where they are a code's.
    ("el", "+30 21 1234567"): "+ 3 0, 2 1, 1 2 3, 4 5 6 7",
}
ALL = [
    *(("en", *one) for one in ENGLISH.items()),
    *(("en-GB", *one) for one in BRITISH.items()),
    *(("es", *one) for one in SPANISH.items()),
    *(("es-MX", *one) for one in MEXICAN.items()),
    *(("de", *one) for one in GERMAN.items()),
    *(("fr-FR", *one) for one in FRENCH.items()),
    *((tag, text, said) for (tag, text), said in OTHERS.items()),
]


@pytest.mark.parametrize(("tag", "written", "spoken"), ALL)
def test_what_is_written_is_said_as_people_say_it(tag: str, written: str, spoken: str) -> None:
    assert Reader(tag).read(written).spoken == spoken


def test_the_clause_before_tells_what_a_number_is() -> None:
    reader = Reader("en")
    assert reader.read("2026.", "Your code is as follows:").spoken == "two zero two six."
    far = "The gate code, which you need at night,"
    assert reader.read("is 1999.", far).spoken == "is one nine nine nine."
    assert reader.read("2026.", "It was in the spring of").spoken == "twenty twenty-six."


@given(
    st.text(st.sampled_from("aB .,:/-+@#$€%°0123459\u0663½(\n") | st.characters(), max_size=60),
    st.sampled_from(["en", "en-GB", "es", "es-MX", "de", "fr", "it", "pl", "ja", "zh", "xx", ""]),
)
def test_any_text_can_be_read_and_each_word_has_its_share(text: str, tag: str) -> None:
    reading = Reader(tag).read(text)
    assert len(reading.weights) == len(text.split())
    assert all(weight > 0 for weight in reading.weights)


@pytest.mark.parametrize("tag", sorted(CONVERTER_CLASSES))
def test_numbers_are_read_in_every_language_that_the_library_knows(tag: str) -> None:
    reader = Reader(tag)
    for written in ("21", "-3", "3,5", "1.234,50", "3/4/2026", "15:30", "4521", "$5", "5 %", "1/2"):
        assert reader.read(written).spoken
    # At some numbers, that library does not come to an end in Amharic.
    assert (reader.read("21").spoken == "21") == (tag == "am")


_EVERY_NUMBER = """
from num2words import CONVERTER_CLASSES
from voice_loop.reading import Reader
for tag in sorted(CONVERTER_CLASSES):
    print(tag, flush=True)
    reader = Reader(tag)
    for size in range(1, 16):
        for text in (str(10 ** (size - 1)), "9" * size, "123456789012345"[:size]):
            grouped = f"{int(text):,}"
            for written in (text, grouped, grouped.replace(",", "."), f"{text} people"):
                reader.read(f"{written}.")
                reader.read(f"-{written}%")
            for written in (f"{text}.5", f"{text},25", f"-{text}.5", f"{grouped}.5"):
                reader.read(written)
"""


def test_no_number_keeps_the_reader_for_ever() -> None:
    # In a process of its own, which can be ended.
    subprocess.run([sys.executable, "-c", _EVERY_NUMBER], check=True, timeout=60)


def test_a_number_without_end_is_read_in_time() -> None:
    assert len(Reader("en").read("9" * 5000).spoken) > 5000


async def test_a_fault_in_reading_leaves_the_written_text_to_the_voice(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a word")

    monkeypatch.setattr(Reader, "read", fail)
    call = PhoneCall({"how": "Room 5. Or 6."})
    await call.conversation.prepare()
    await call.answer()
    await call.hears_out()
    await call.says_and_waits("how")
    assert call.mouth.said[-2:] == ["Room 5.", "Or 6."]
    assert len([one for one in caplog.records if "not read" in one.message]) == 1

    mouth = Mouth()
    engines = Engines(Ears(), Mind({}), mouth, lambda _: Detector())
    await speak("They want room 4521.", engines, RATE)
    assert mouth.said == ["They want room 4521."]


async def in_answer(answer: str) -> PhoneCall:
    """A call in which the agent has just begun to say an answer."""
    call = await PhoneCall({"how": answer}).answer()
    await call.hears_out()
    await call.says("how")
    await call.until(lambda: call.voiced[-1])
    return call


async def test_the_voice_gets_words_and_what_is_kept_is_what_was_written() -> None:
    answer = "Call 555-0132, or write to a@b.example."
    call = await in_answer(answer)
    await call.hears_out()
    assert call.mouth.said[-1] == (
        "Call five five five, zero one three two, or write to A at B dot example."
    )
    assert call.said[-1] == ("agent", answer)
    await call.says_and_waits("thanks")
    assert call.last_history[-2] == ("assistant", answer)


async def test_fixed_lines_are_read_as_answers_are() -> None:
    call = PhoneCall(
        config=ConversationConfig(
            "book a visit",
            language="es-MX",
            first_sentence="Son $20.",
            first_sentence_mode="static",
            time_up_message="Cerramos a las 15:30.",
            voicemail="leave_message",
            voicemail_message="Llame al 555-0132.",
        )
    )
    await call.conversation.prepare()
    said = call.mouth.said
    assert "Son veinte pesos." in said
    assert "Cerramos a las quince treinta." in said
    assert "Llame al cinco cinco cinco, cero uno tres dos." in said


async def test_briefings_are_read_too() -> None:
    mouth = Mouth()
    engines = Engines(Ears(), Mind({}), mouth, lambda _: Detector())
    speech = await speak("They want room 4521.", engines, RATE, language="en-GB")
    assert mouth.said == ["They want room four five two one."]
    assert speech.text == "They want room 4521."


@pytest.mark.parametrize(
    ("ms", "heard"),
    [
        (2_000, "Please call us at"),
        (3_000, "Please call us at 5551234567 and then"),
    ],
)
async def test_of_what_was_interrupted_the_written_words_are_kept_that_were_heard(
    ms: int, heard: str
) -> None:
    # At 40 ms a character, the number alone takes 2 s.
    call = await in_answer("Please call us at 5551234567 and then leave a message for us there")
    await call.quiet(ms)
    call.sound.takers.add("stop please")
    await call.says("stop please")
    await call.hears_out()
    assert call.turns[2].interrupted
    assert call.turns[2].text == heard
