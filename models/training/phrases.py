"""What the person on the line says in the starter domain: wording by intent, and the slot values.

Everything is lower case words without punctuation, as speech recognition writes it. Wording that
is easily misheard on a telephone line (eleven and seven, nine and five) is kept out of the times
that callers name. Every intent has wording for training and other wording that is held out.
"""

import random
import zlib
from collections.abc import Mapping
from typing import Literal

Split = Literal["train", "heldout"]

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: Times that callers name.
CALLER_TIMES = (
    "eight a m", "eight thirty a m", "ten a m", "ten thirty a m", "one p m", "one thirty p m",
    "two p m", "two thirty p m", "three p m", "three thirty p m", "four p m", "four thirty p m",
    "six p m", "six thirty p m",
)  # fmt: skip

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

#: Place name to how both sides say it.
PLACES: Mapping[str, str] = {
    "front door": "at the front door",
    "back door": "at the back door",
    "neighbour": "with the neighbour",
    "garage": "in the garage",
    "porch": "on the porch",
    "reception": "at the reception",
    "garden": "in the garden",
    "kitchen window": "under the kitchen window",
}

_OPENERS = ("um", "well", "oh", "uh")
_CLOSERS = ("please", "thanks", "thank you")
_NO_CLOSER = ("please", "thanks", "you", "bye", "goodbye", "hello", "hi", "there", "morning")

#: intent -> (training wording, held-out wording); slots in braces.
INTENTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hello": (
        ("hello", "hi", "good morning", "hello hello", "hi there", "yes hello",
         "hello good morning"),
        ("hi good morning", "hello hi", "hello there"),
    ),
    "identity_yes": (
        ("yes", "speaking", "yes speaking", "yes it is", "that is me", "yes that is me",
         "yes this is me", "it is me", "yes i am", "this is me", "yes you are", "yes it is me"),
        ("yes yes speaking", "yes that is me speaking", "speaking yes",
         "yes you are speaking with me"),
    ),
    "yes_who": (
        ("yes who is this", "yes who is calling", "speaking who is this", "yes what is this about",
         "speaking who is calling", "yes it is who is this"),
        ("speaking what is this about", "yes speaking who is calling",
         "yes it is me who is calling"),
    ),
    "wrong": (
        ("wrong number", "you have the wrong number", "no wrong number",
         "this is the wrong number",
         "no this is the wrong number", "i think you have the wrong number", "sorry wrong number"),
        ("no you have the wrong number", "no sorry wrong number",
         "i think this is the wrong number"),
    ),
    "identity_no": (
        ("no", "no i am not", "no it is not", "no that is not me", "that is not me"),
        ("no this is not me", "no no that is not me"),
    ),
    "who": (
        ("who is this", "who is calling", "who are you", "sorry who is this", "who is speaking",
         "sorry who is calling", "who am i speaking with"),
        ("sorry who are you", "who is this calling", "sorry who is speaking"),
    ),
    "repeat": (
        ("can you repeat that", "sorry can you repeat that", "can you say that again",
         "sorry i did not hear you", "say that again", "what did you say", "repeat that",
         "i did not hear that", "sorry what did you say"),
        ("sorry can you say that again", "sorry i did not hear that", "can you repeat that again",
         "can you say that again i did not hear you"),
    ),
    "about": (
        ("what is this about", "what is it about", "why are you calling",
         "sorry what is this about",
         "why are you calling me", "what do you want"),
        ("sorry why are you calling me", "sorry what is it about", "sorry what do you want"),
    ),
    "busy": (
        ("i am busy now", "i am busy", "can you call me later", "call me later", "not now",
         "i can not talk now", "sorry i am busy now", "i am driving now", "call again later",
         "i am busy call me later"),
        ("sorry i can not talk now", "i am driving call me later", "not now i am busy",
         "sorry can you call again later"),
    ),
    "wait": (
        ("one moment", "wait a moment", "just a moment", "wait", "can you wait",
         "one moment i am busy"),
        ("can you wait a moment", "just wait a moment", "wait one moment"),
    ),
    "back": (
        ("i am back", "okay i am back", "i am here", "okay i am here now", "i am here now"),
        ("okay i am back now", "i am back now", "okay i am here"),
    ),
    "robot": (
        ("are you a robot", "is this a robot", "am i speaking with a robot",
         "are you a real person",
         "is this a real person"),
        ("sorry are you a robot", "am i speaking with a real person", "sorry is this a robot"),
    ),
    "offtopic": (
        ("the weather is nice today", "i like music", "do you like music", "my dog is here",
         "what is the weather today", "i have a dog", "i am at work today",
         "my car is in the garage",
         "can you help me with my car", "today is a nice day"),
        ("do you like my dog", "the music is nice today", "i like my car",
         "is the weather nice today"),
    ),
    "bye": (
        ("goodbye", "bye", "bye bye", "thank you goodbye", "okay bye", "thank you bye",
         "okay goodbye"),
        ("okay thank you bye", "goodbye bye", "okay thanks goodbye"),
    ),
    "where": (
        ("where is it", "where do i have to come", "what is the address", "where are you",
         "can you tell me the address"),
        ("sorry what is the address", "can you tell me where it is", "tell me the address"),
    ),
    "yes": (
        ("yes", "yes please", "yes that works", "that works for me", "sure", "okay", "of course",
         "that is fine", "yes that is fine", "perfect", "sounds good", "yes that works for me",
         "yes that is good", "sure that works", "yes of course", "yes sure", "that is right",
         "yes that is right", "fine", "right", "that is good for me", "yes it does",
         "yes it works"),
        ("yes that sounds good", "okay that works", "sure that is fine", "yes perfect",
         "okay that is fine for me", "yes right", "of course that works"),
    ),
    "no": (
        ("no", "no i can not", "no i can not make it", "i can not make it", "that does not work",
         "no that does not work for me", "i can not come", "no i am working", "no it does not",
         "i have to work", "no sorry", "sorry i can not", "that is not good for me",
         "no that is not good"),
        ("sorry i can not make it", "no sorry that does not work", "that does not work for me",
         "no i can not come"),
    ),
    "wrong_slot": (
        ("no", "no that is wrong", "that is not right", "no that is not right", "that is wrong"),
        ("no sorry that is wrong", "no it is not right", "no sorry that is not right"),
    ),
    "cancel": (
        ("cancel it", "please cancel it", "i want to cancel", "can you cancel it",
         "i want to cancel the appointment", "cancel the appointment", "no cancel it",
         "no i want to cancel", "please cancel my appointment", "i do not need it"),
        ("can you cancel the appointment", "no please cancel it", "i want to cancel it",
         "i do not need the appointment", "please cancel the appointment"),
    ),
    "offer_both": (
        ("can we do {day} at {time}", "can we do {day} at {time} instead",
         "no can we do {day} at {time}",
         "i can come on {day} at {time}", "how about {day} at {time}", "is {time} on {day} okay",
         "no but i can come on {day} at {time}", "i can do {day} at {time}",
         "can i come on {day} at {time}"),
        ("no how about {day} at {time}", "can i come {day} at {time} instead",
         "can we do {time} on {day}",
         "no i can do {day} at {time}", "how about {time} on {day}"),
    ),
    "offer_day": (
        ("can we do {day}", "can we do {day} instead", "no can we do {day}", "i can come on {day}",
         "how about {day}", "no but i can come on {day}", "{day} is better",
         "can i come on {day}"),
        ("no how about {day}", "can i come on {day} instead", "i can do {day} instead",
         "no {day} is better"),
    ),
    "offer_time": (
        ("can we do {time}", "can we do {time} instead", "no can we do {time}",
         "i can come at {time}",
         "how about {time}", "{time} is better", "can i come at {time}",
         "no but i can come at {time}"),
        ("no how about {time}", "can i come at {time} instead", "i can do {time} instead",
         "no {time} is better"),
    ),
    "say_both": (
        ("{day} at {time}", "on {day} at {time}", "{day} {time}", "{time} on {day}",
         "i can come on {day} at {time}", "how about {day} at {time}",
         "{day} at {time} works for me"),
        ("{time} on {day} works for me", "on {day} {time}", "i think {day} at {time}"),
    ),
    "say_day": (
        ("{day}", "on {day}", "i can come on {day}", "how about {day}", "{day} works for me",
         "{day} is good", "{day} is fine", "maybe {day}", "i think {day}"),
        ("on {day} maybe", "{day} is good for me", "i think {day} works", "maybe on {day}"),
    ),
    "say_time": (
        ("{time}", "at {time}", "how about {time}", "{time} works for me", "{time} is good",
         "{time} is fine", "maybe {time}", "i think {time}", "maybe at {time}"),
        ("at {time} maybe", "{time} is good for me", "i think {time} works", "i think at {time}"),
    ),
    "fix_day": (
        ("no i said {day}", "no {day}", "sorry {day}", "not that day i said {day}", "no on {day}"),
        ("no sorry {day}", "sorry i said {day}", "no i said on {day}"),
    ),
    "fix_time": (
        ("no i said {time}", "no {time}", "sorry {time}", "i said {time}", "no at {time}"),
        ("no sorry {time}", "sorry i said {time}", "no i said at {time}"),
    ),
    "when": (
        ("when is it", "what time is it", "what day is it", "which day is it",
         "when is the appointment",
         "sorry when is it", "what time was it", "which day was it"),
        ("sorry what day was it", "when was it", "sorry what time is it"),
    ),
    "unsure": (
        ("i do not know", "i am not sure", "i do not know now", "i have to think", "no idea"),
        ("sorry i do not know", "i am not sure now", "i do not know i have to think"),
    ),
    "rate": (
        ("{number}", "i would say {number}", "{number} out of ten", "maybe {number}", "a {number}",
         "i think {number}", "i give you {number}", "i would say a {number}", "{number} i think"),
        ("maybe {number} out of ten", "i give you a {number}", "i would give you {number}",
         "i think {number} out of ten"),
    ),
    "fix_rate": (
        ("no i said {number}", "no {number}", "sorry {number}", "i said {number}"),
        ("no sorry {number}", "sorry i said {number}", "no i said {number} out of ten"),
    ),
    "refuse": (
        ("no", "no thank you", "no thanks", "i am not interested", "i do not want to",
         "not interested",
         "no i do not want to", "sorry i am not interested"),
        ("no i am not interested", "sorry i do not want to", "no not interested"),
    ),
    "why": (
        ("why do you want to know", "why do you want to know that", "why", "what is it for"),
        ("sorry why do you want to know", "what is that for", "sorry what is it for"),
    ),
    "recommend_yes": (
        ("yes", "yes i would", "sure", "of course", "yes of course", "i think so",
         "yes i think so",
         "i would", "yes sure", "of course i would"),
        ("yes i think i would", "sure i would", "i think i would"),
    ),
    "recommend_no": (
        ("no", "no i would not", "i do not think so", "no i do not think so", "not really",
         "i would not", "no not really"),
        ("no i think not", "i think i would not", "sorry i would not"),
    ),
    "home_yes": (
        ("yes", "yes i will", "yes i will be at home", "i will be at home", "i will be here",
         "yes i am at home", "sure", "of course", "yes i will be here", "yes i think so"),
        ("yes i think i will be at home", "sure i will be at home", "of course i will be here"),
    ),
    "home_no": (
        ("no", "no i will not", "no i will not be at home", "i will not be at home",
         "no i am working",
         "i will be at work", "no i will be at work", "i am not at home", "no i have to work"),
        ("sorry i will not be at home", "no i am not at home", "no i think i will be at work"),
    ),
    "home_time": (
        ("yes at {time}", "i will be at home at {time}", "yes i will be at home at {time}",
         "i am at home at {time}", "yes but at {time}"),
        ("yes i am at home at {time}", "yes i will be here at {time}", "i will be here at {time}"),
    ),
    "any_time": (
        ("any time", "any time is fine", "any time works for me", "i am at home all day",
         "all day"),
        ("any time is good for me", "i will be at home all day", "any time works"),
    ),
    "leave": (
        ("no leave it {place}", "leave it {place}", "you can leave it {place}",
         "no but you can leave it {place}",
         "please leave it {place}"),
        ("no you can leave it {place}", "no please leave it {place}", "can you leave it {place}"),
    ),
    "say_place": (
        ("{place}", "leave it {place}", "you can leave it {place}", "please leave it {place}",
         "{place} is fine", "just leave it {place}", "maybe {place}"),
        ("{place} is good", "i think {place}", "just {place}"),
    ),
    "fix_place": (
        ("no i said {place}", "no {place}", "i said {place}"),
        ("no sorry {place}", "sorry i said {place}"),
    ),
    "not_mine": (
        ("i did not order anything", "that is not for me", "it is not for me",
         "i have no delivery"),
        ("no i did not order anything", "sorry that is not for me", "no it is not for me"),
    ),
    "thanks": (
        ("thank you", "thank you bye", "bye", "okay thank you", "thanks bye", "goodbye",
         "thank you goodbye"),
        ("okay thanks bye", "okay thank you goodbye", "bye thank you"),
    ),
    "stop": (
        ("do not call me again", "please do not call me again", "do not call again",
         "please do not call again", "do not call me", "please do not call me",
         "do not call this number again", "please do not call this number",
         "do not call here again", "i do not want you to call me",
         "i do not want you to call me again", "i do not want to hear from you again",
         "not interested do not call me again", "i am not interested do not call again",
         "no do not call me again", "no thank you do not call me again",
         "wrong number do not call again", "this is the wrong number do not call here again",
         "i am busy do not call me again", "stop calling me", "please stop calling me",
         "please stop calling this number", "you have to stop calling me", "never call me again",
         "please never call me again", "never call this number", "take me off your list",
         "please take me off the list", "delete my number", "please delete my number",
         "remove my number", "remove me from your list", "no more calls",
         "i want no more calls", "i said do not call me again", "leave me alone do not call again",
         "do not ever call me again", "you can not call me again", "no more calls to this number"),
        ("sorry please do not call me again", "i am not interested please do not call me again",
         "please do not call my number again", "no i do not want you to call again",
         "wrong number please do not call here again", "stop calling this number",
         "never call here again", "please take my number off your list", "please no more calls",
         "i do not want you to call this number again", "please do not call here again"),
    ),
    "other_number": (
        ("call me on my other number", "please call my other number",
         "please call me on another number", "call me on another number",
         "can you call another number", "you have to call another number",
         "can you call my other number", "do not call this one call me on another number",
         "please do not call me on this number call me at work",
         "do not call me at work call my other number",
         "you can call me on my other number", "call me at home", "can you call me at home",
         "please call me at work", "call my work number", "please call my home number",
         "this is my work number call me at home",
         "this is the wrong number for me call me at home",
         "i have a new number please call that", "this is not my number call my other number",
         "not on this number call me at work", "can you call me on my home number",
         "do not call this number call me at home", "do not call me here call my other number"),
        ("please call me on my other number", "can you call me at work instead",
         "call my home number instead", "can you call me on another number",
         "please do not call this number call my other number"),
    ),
    "not_now": (
        ("do not call me now", "please do not call me now", "do not call now call me later",
         "i can not talk now call me again later", "can you call me on {day}",
         "please call me again on {day}", "call me at {time}", "please call again at {time}",
         "call me again later", "please do not call me at work call me later",
         "i have no time now call me on {day}", "do not call me today call me on {day}",
         "please call back later", "can you call me back at {time}",
         "not today call again on {day}"),
        ("please do not call now", "do not call me now call again later",
         "can you call me again on {day}", "can you call again at {time}",
         "i am busy please do not call me now"),
    ),
    "annoyed": (
        ("why are you calling again", "why do you call me", "you call me again and again",
         "not you again", "do not say that again", "i do not like this",
         "i do not want to talk with a robot", "i do not like robots", "do you have to call me",
         "you did call me today", "stop it", "do not ask me that", "i am not your friend",
         "do not say my name again"),
        ("why do you call again", "i do not like to talk with a robot", "do not ask me again",
         "why do you call me again and again", "do not say my name"),
    ),
}  # fmt: skip


def _held(text: str, every: int) -> bool:
    """A fixed share of all texts, the same on every machine and Python."""
    return zlib.crc32(text.encode()) % every == 0


def held_pair(day: str, time: str) -> bool:
    """Whether a day and time never occur together in training."""
    return _held(f"{day} {time}", 6)


def _fill(rng: random.Random, template: str, slots: Mapping[str, str]) -> str:
    text = template.format_map(slots)
    roll = rng.random()
    if roll < 0.12:
        return f"{rng.choice(_OPENERS)} {text}"
    if roll < 0.22 and text.split()[-1] not in _NO_CLOSER:
        return f"{text} {rng.choice(_CLOSERS)}"
    return text


def utter(rng: random.Random, intent: str, split: Split, slots: Mapping[str, str]) -> str:
    """One sentence of that intent; a held-out one never equals a training one.

    Args:
        rng: the only source of chance.
        intent: a key of `INTENTS`.
        split: which wording to draw from.
        slots: values for the template's braces.
    """
    known, held = INTENTS[intent]
    if split == "heldout":
        return _fill(rng, rng.choice(held), slots)
    return _fill(rng, rng.choice(known), slots)
