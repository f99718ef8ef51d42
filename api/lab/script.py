"""From a scenario to what one caller does: recordings picked and brought to their level."""

from typing import cast

import numpy as np

from api.lab.caller import Cue, Listen, Pause, Press, Script, Utter
from api.lab.clip import dictation, recorded
from api.lab.library import Library, at_level, samples_of, scaled
from api.lab.scenario import LineConditions, Scenario, Step
from api.lab.trace import Kind
from voice_loop.audio import Samples, level_dbfs


def script_of(scenario: Scenario, library: Library, pick: int) -> Script:
    """What the caller of call number `pick` does. Raises LibraryError."""
    cues: list[Cue] = []
    for index, step in enumerate(scenario.steps):
        if step.hang_up:
            break
        cues.append(_cue(step, library, pick + index, scenario.line.level_dbfs))
    return Script(cues, scenario.line, _backdrop(scenario.line, library, pick))


def _cue(step: Step, library: Library, pick: int, dbfs: float) -> Cue:
    action, wanted = step.action, getattr(step, step.action)
    dbfs += step.level_db
    match action:
        case "pause_ms":
            return Pause(wanted)
        case "listen":
            return Listen(step.silence_ms, step.at_most_ms)
        case "press":
            return Press(wanted)
        case "dictate":
            return Utter("say", dictation(library, wanted, pick, dbfs, step.gap_ms))
    clip = recorded(library, wanted, pick, dbfs, step.pauses_ms)
    if action == "say":
        return Utter("say", clip)
    return Utter(cast("Kind", action), clip, step.after_ms, step.at_most_ms)


def _backdrop(line: LineConditions, library: Library, pick: int) -> Samples | None:
    """Noise and other people, one over the other, as long as the longer of them."""
    layers: list[Samples] = []
    if line.noise is not None:
        noise = library.noise(line.noise)
        layers.append(scaled(noise, line.level_dbfs - line.snr_db - level_dbfs(noise)))
    if line.background is not None:
        talk = samples_of(library.speech(line.background, pick + 1))
        layers.append(at_level(talk, line.level_dbfs + line.background_db))
    if not layers:
        return None
    length = max(one.size for one in layers)
    mixed = sum(np.resize(one, length).astype(np.int32) for one in layers)
    return np.clip(mixed, -32768, 32767).astype(np.int16)
