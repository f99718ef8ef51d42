"""One call's conversation: the thin shell that joins the media tick, the engines and the director.

`exchange` runs in the media tick, which stops the agent's audio while the person interrupts.
Everything slower happens in `run`: it has the `director` decide on what the tick and the work
beside it posted, and carries its commands out.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence

from voice_loop.ambience import Ambience
from voice_loop.answering.watch import Answerer, AnswerWatch
from voice_loop.audio import Samples
from voice_loop.barge_in import BargeIn
from voice_loop.call_engines import CallEngines
from voice_loop.clauses import ToolCall
from voice_loop.commands import (
    Announced,
    Answer,
    AskWho,
    Command,
    End,
    FallSilent,
    GiveUp,
    Hold,
    JudgeSound,
    Play,
    ReadOut,
    Report,
    Resume,
    TellTurnDetector,
    Transcribe,
    UseTool,
)
from voice_loop.config import ConversationConfig
from voice_loop.dialogue import Dialogue
from voice_loop.director import Director
from voice_loop.early_media import EarlyMedia
from voice_loop.echo import EchoCanceller
from voice_loop.events import Echo, EndReason, Turn
from voice_loop.faq import Faq
from voice_loop.media_tick import MediaTick
from voice_loop.phrases import phrases
from voice_loop.playout import SpeechFactory
from voice_loop.ports import Engines, Line, TurnEndModel
from voice_loop.prepared import prepared_speeches
from voice_loop.prompts import system_prompt
from voice_loop.rendering import Renderer
from voice_loop.signals import (
    HoldChanged,
    Moment,
    Over,
    SayNow,
    Signal,
    TimeUpRendered,
    Told,
    ToolDone,
    Transcribed,
    Whispered,
    WhoJudged,
)
from voice_loop.speech_input import SpeechInput
from voice_loop.toolset import Toolset
from voice_loop.turn_detection import TurnDetector
from voice_loop.witness import Nobody, Witness
from voice_loop.work import Job, Work

log = logging.getLogger(__name__)
#: What happened on the line and what was made of it, by name, at the moment of it; no words.
decisions = logging.getLogger(f"{__name__}.decisions")

#: The last frame needs to reach the far end before the line is cut.
_HANG_UP_GRACE_S = 0.3
_INBOX_LIMIT = 1024


class Conversation:
    """Holds one conversation. Make it when dialling starts; `run` it from the answer on."""

    def __init__(
        self,
        call_id: str,
        config: ConversationConfig,
        engines: Engines,
        line_rate: int,
        on_turn: Callable[[Turn], None],
        *,
        on_announced: Callable[[], None] = lambda: None,
        witness: Witness | None = None,
        on_resumed: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            call_id: names the call in logs and in the language model's prefix cache.
            config: what it is about.
            engines: the loaded engines for the call's language.
            line_rate: Hz of the line's frames.
            on_turn: told every finished turn, in order; must not block.
            on_announced: told when the announcement was said; must not block.
            witness: sees what goes in and what is decided.
            on_resumed: told when the agent, who was stopped, goes on; must not block.
        """
        self._call_id = call_id
        self._config = config
        self._on_turn = on_turn
        self._on_announced = on_announced
        self._witness = witness or Nobody()
        self._on_resumed = on_resumed
        # Its own object: parts that knew the conversation would keep each other, and half a minute
        # of audio, until the garbage collector comes.
        self._inbox = _Inbox(call_id)
        self._post = self._inbox.post
        self._work = Work(call_id, self._post)
        self._toolset = Toolset(call_id, config.tools)
        self._turn_end = engines.turn_end
        self._new_detector = engines.new_detector
        self._min_confidence = engines.min_confidence
        self._line_rate = line_rate
        self._engines = CallEngines(
            engines, line_rate, config, self._toolset, call_id, clock=self._witness.now
        )
        faq = Faq(config.faq)
        self._dialogue = Dialogue(
            system_prompt(
                config.task,
                config.context,
                config.language,
                persona=config.persona,
                faq=faq.standing,
                tools=[tool.spec for tool in config.tools],
                now=config.now,
            )
        )
        lines = phrases(config.language)
        speeches = SpeechFactory(engines.tts.rate, line_rate, config.interruptible)
        self._prepared = prepared_speeches(speeches)
        self._render = Renderer(self._prepared, config, self._engines, lines)
        self._turns, self._watch, speech_input = self._new_input()
        ambience = Ambience(config.ambience, line_rate, random.Random(call_id))
        barge_in = BargeIn(speech_input, config.floor, engines.onset, line_rate)
        self._echo = EchoCanceller(line_rate, call_id)
        self._tick = MediaTick(speech_input, barge_in, self._echo, ambience, self._post)
        self._director = Director(
            call_id,
            config,
            speeches=speeches,
            prepared=self._prepared,
            dialogue=self._dialogue,
            faq=faq,
            answering=self._watch,
            say=self._toolset.say,
            min_confidence=engines.min_confidence,
        )
        self._tick.deadline = self._director.deadline
        self._early: EarlyMedia | None = None
        self._heard_early: Answerer | None = None
        self._answered = False
        self._held = False
        self._expected = False
        self._decided_at = 0.0

    def _new_input(self) -> tuple[TurnDetector, AnswerWatch, SpeechInput]:
        """What judges pauses, what tells who is there, and what takes in what is heard."""
        config, rate = self._config, self._line_rate
        turns = TurnDetector(
            config.floor.end_of_turn_ms,
            config.floor.longest_pause_ms,
            config.language,
            config.country,
            self._min_confidence,
        )
        watch = AnswerWatch(rate, config.answering, phrases(config.language).greetings)
        heard = SpeechInput(self._new_detector(rate), turns, watch, config.floor)
        return turns, watch, heard

    # What the outside calls -------------------------------------------------------------

    async def prepare(self) -> None:
        """Render what is said word for word, and the opening; best run while it rings.

        An engine's failure is kept and told to the person by `run`; the end of `run` ends this.
        """
        self._witness.told("prepare")
        await self._work.see_through(self._prepared.time_up, self._prepare)
        await self._work.see_through(
            self._prepared.voicemail, lambda: self._render.voicemail(self._dialogue)
        )

    async def _prepare(self) -> None:
        if self._config.announcement:
            await self._work.see_through(self._prepared.announcement, self._render.announcement)
        await self._work.see_through(
            self._prepared.opening, lambda: self._render.opening(self._dialogue)
        )
        self._post(TimeUpRendered(await self._render.time_up()))
        if self._config.first_sentence_mode != "generated":
            await self._engines.warm_up(self._dialogue.messages())

    async def unreached(self) -> Answerer | None:
        """Listen to early media from now on; tells once it is clear that nobody is reached.

        None where it does not matter who answers. Cancelled at the answer.
        """
        if self._config.voicemail == "ignore":
            return None
        _, watch, speech_input = self._new_input()
        early = self._early = EarlyMedia(
            self._call_id, speech_input, watch, self._engines.transcribe, self._min_confidence
        )
        return await early.unreached()

    def expect(self, heard: Samples) -> None:
        """See `voice_loop.ports.ForewarnedPeer`."""
        if self._answered and not self._held:
            self._expected = True
            self._tick.expect(heard)

    def exchange(self, heard: Samples, arrived_at: float, now: float) -> Samples | None:
        """The media tick (`voice_loop.ports.AudioPeer`)."""
        if not self._answered:
            if self._early is not None:
                self._early.hear(heard, arrived_at)
            return None
        try:
            if self._held:
                self._tick.pass_time(heard, now)
                return None
            return self._tick.exchange(heard, arrived_at, now)
        except Exception:
            # Without the tick there is no clock either: the call would never end.
            self._post(Over("engine_error"))
            raise
        finally:
            self._note_tick(heard, arrived_at, now, away=False)

    def pass_time(self, heard: Samples, now: float) -> None:
        """A media tick in which somebody else has the line (`pbx.audio_router.Owner`)."""
        if self._answered:
            self._tick.pass_time(heard, now)
            self._note_tick(heard, now, now, away=True)

    def _note_tick(self, heard: Samples, arrived_at: float, now: float, *, away: bool) -> None:
        expected, self._expected = self._expected, False
        self._witness.heard(heard, arrived_at, now, expected=expected, away=away)

    def tell(self, note: str) -> None:
        """Tell the agent something that it is to speak of."""
        self._witness.told("tell", note)
        self._post(Told(note))

    def whisper(self, note: str) -> None:
        """Tell the agent something for its answers to come."""
        self._post(Whispered(note))

    def say(self, text: str) -> None:
        """Have these words spoken now, in place of whatever the agent says."""
        self._post(SayNow(text))

    def press(self, digit: str, at: float) -> None:
        """The person pressed a key; `at` is `time.monotonic()` seconds."""
        self._witness.told("press", digit, at)
        self._tick.press(digit, at)

    def hold(self, held: bool) -> None:
        """The person has put the agent on hold, where it waits and does not listen; or off."""
        if held is not self._held:
            self._witness.told("hold", held)
            self._held = held
            self._post(HoldChanged(held))

    def hung_up(self) -> None:
        """The line is gone."""
        self._witness.told("hung_up")
        self._post(Over("person_hangup"))

    def stop(self) -> None:
        """The operator wants the call to end now."""
        self._witness.told("stop")
        self._post(Over("operator_hangup"))

    @property
    def took_voicemail(self) -> bool:
        """Whether an answering machine took the call."""
        return self._director.voicemail

    @property
    def echo(self) -> Echo | None:
        """Our own voice, where the line was found to give it back."""
        return self._echo.found

    @property
    def answerer(self) -> Answerer:
        """Who answered, as far as that is known by now."""
        return self._watch.answerer

    @property
    def heard_early(self) -> Answerer | None:
        """Who was there before the answer; None where nothing was heard."""
        return self._heard_early if self._early is None else self._early.answerer

    @property
    def with_human(self) -> bool:
        """Whether somebody let the agent finish and then answered, as no machine does."""
        return self._director.with_human

    def transferred(self) -> None:
        """The person talks to somebody else now."""
        self._witness.told("transferred")
        self._post(Over("transferred"))

    async def run(self, line: Line) -> EndReason:
        """Converse on the answered line until the end; returns why it ended.

        The line is hung up when this returns, whatever happened, unless it was transferred.
        """
        if (early := self._early) is not None:
            self._heard_early, self._early = early.answerer, None
            if early.announced_tone:
                self._watch.announce()
        self._answered = True
        self._witness.began()
        reason: EndReason | None = None
        try:
            reason = await self._converse()
        finally:
            self._answered = False
            self._witness.ended()
            moment = self._tick.moment(self._witness.now())
            self._take("stop", moment, self._director.stop(moment))
            await self._give_back(None if reason == "transferred" else line)
            self._drain()
            moment = self._tick.moment(self._witness.now())
            self._take("close", moment, self._director.close(moment))
        last_words = self._director.note_last_words()
        self._see("last_words", moment, last_words)
        for command in last_words:
            if isinstance(command, Transcribe):
                await self._work.see_through(command.speech, self._transcription(command))
            else:
                self._carry_out([command])
        self._drain()
        return reason

    async def _converse(self) -> EndReason:
        while True:
            event = await self._inbox.get()
            await self._witness.admit(event, self._tick.frame)
            end = self._decide(event)
            if end is not None:
                if end.after_words:
                    await asyncio.sleep(_HANG_UP_GRACE_S)
                    await self._witness.admit("stop", self._tick.frame)
                return end.reason

    async def _give_back(self, line: Line | None) -> None:
        """Hang up, where there is a line to, and end all work."""
        self._work.cancel()
        try:
            if line is not None:
                await line.hang_up()
        finally:
            await self._work.ended()
            self._engines.close()

    def _drain(self) -> None:
        """Have the director take the results that were posted around the end."""
        for event in self._inbox.take_all():
            self._decide(event)

    # What the director commands ---------------------------------------------------------

    def _decide(self, event: Signal) -> End | None:
        """Have the director decide on an event, and carry out its commands; returns an `End`."""
        self._log(event)
        moment = self._tick.moment(self._witness.now())
        end = self._take(event, moment, self._director.decide(event, moment))
        self._tick.deadline = self._director.deadline
        self._tick.understanding = self._director.understanding
        return end

    def _take(self, what: Signal | str, moment: Moment, commands: Sequence[Command]) -> End | None:
        """Carry out what was decided, seen by the witness."""
        self._decided_at = moment.at
        self._see(what, moment, commands)
        return self._carry_out(commands)

    def _see(self, what: Signal | str, moment: Moment, commands: Sequence[Command]) -> None:
        self._witness.decided(what, moment, commands, self._turns.evidence)

    def _log(self, what: Signal | Command) -> None:
        frame, name = self._tick.frame, type(what).__name__
        decisions.debug("call %s: frame %d: %s", self._call_id, frame, name)

    def _carry_out(self, commands: Iterable[Command]) -> End | None:
        for command in commands:
            self._log(command)
            match command:
                case Play(speech, stopwatch):
                    self._tick.play(speech, stopwatch)
                case Hold():
                    self._tick.hold()
                case Resume():
                    if self._tick.held:
                        self._on_resumed()
                    self._tick.resume()
                case FallSilent():
                    self._tick.fall_silent()
                case TellTurnDetector(transcript):
                    self._tick.tell_turn_detector(transcript)
                case JudgeSound() if self._turn_end is not None:
                    self._work.do_aside("sound", self._sound_judgement(command, self._turn_end))
                case AskWho(words):
                    self._work.do_aside("answerer", self._answerer_judgement(words))
                case Transcribe(speech):
                    self._tick.await_words()
                    self._work.fill(speech, self._transcription(command))
                case Answer(speech):
                    self._work.fill(speech, self._answering(command))
                case ReadOut(speech):
                    self._work.fill(speech, self._reading(command))
                case GiveUp(speech):
                    self._work.give_up(speech)
                case UseTool(call, speech):
                    self._work.start(speech, self._tool_use(call))
                case Announced():
                    self._on_announced()
                case Report(turn):
                    self._on_turn(turn)
                case End():
                    return command
        return None

    def _transcription(self, wanted: Transcribe) -> Job:
        samples = self._tick.utterance(wanted.started_ms, wanted.ended_ms)
        began = self._decided_at

        async def job() -> None:
            transcript = await self._engines.transcribe(samples)
            now = self._witness.now()
            self._tick.recognition_took(now - began)
            wanted.stopwatch.mark("transcript", now)
            self._post(Transcribed(wanted.speech, transcript))

        return job

    def _sound_judgement(self, wanted: JudgeSound, model: TurnEndModel) -> Job:
        samples = self._tick.latest_sound()

        async def job() -> None:
            probability = await self._engines.end_probability(model, samples)
            self._tick.heard_end(wanted.last_speech_frame, probability)

        return job

    def _answerer_judgement(self, words: str) -> Job:
        async def job() -> None:
            self._post(WhoJudged(await self._engines.who_says(words)))

        return job

    def _answering(self, wanted: Answer) -> Job:
        return lambda: self._engines.answer(
            wanted.messages,
            wanted.speech,
            fallback=wanted.fallback,
            use_tools=wanted.use_tools,
            stopwatch=wanted.stopwatch,
        )

    def _reading(self, wanted: ReadOut) -> Job:
        return lambda: self._engines.read_out(wanted.text, wanted.speech, wanted.stopwatch)

    def _tool_use(self, call: ToolCall) -> Job:
        async def job() -> None:
            self._post(ToolDone(await self._toolset.use(call)))

        return job


class _Inbox:
    """Queues the events that the tick and the work beside it have posted."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._events: asyncio.Queue[Signal] = asyncio.Queue(_INBOX_LIMIT)

    def post(self, event: Signal) -> None:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            # Cannot happen while `run` is alive: it would mean 20 s of unread events.
            log.error("call %s: conversation inbox is full, event dropped", self._call_id)

    async def get(self) -> Signal:
        """Take the next event, waiting for it."""
        return await self._events.get()

    def take_all(self) -> list[Signal]:
        """Take all events that are there, in order."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]
