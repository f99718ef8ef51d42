// The recording of a call as two waveforms with its turns, in step with the transcript.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const data = document.getElementById("marks");
  const audio = document.getElementById("audio");
  const place = document.getElementById("wave");
  if (!data || !audio || !place || !window.WaveSurfer) return;
  const marks = JSON.parse(data.textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const shade = (name, percent) => `color-mix(in srgb, ${colour(name)} ${percent}%, transparent)`;

  const regions = WaveSurfer.Regions.create();
  const lane = (name) => ({ height: 64, waveColor: colour(name), progressColor: colour(name) });
  const wave = WaveSurfer.create({
    container: place,
    media: audio,
    url: marks.audio,
    cspNonce: place.dataset.nonce,
    cursorColor: colour("--text"),
    normalize: true,
    splitChannels: [lane("--person"), lane("--agent")],
    plugins: [regions],
  });
  wave.on("decode", () => {
    for (const turn of marks.turns) {
      const spoken = turn.speaker === "agent" || turn.speaker === "person";
      const name = turn.interrupted ? "--warn" : turn.speaker === "agent" ? "--agent" : "--person";
      regions.addRegion({
        start: turn.start,
        end: spoken ? Math.max(turn.end, turn.start + 0.05) : turn.start,
        color: spoken ? shade(name, 22) : colour("--bad"),
        channelIdx: turn.speaker === "agent" ? 1 : turn.speaker === "person" ? 0 : -1,
        drag: false,
        resize: false,
      });
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".seek");
    const turn = button && marks.turns.find((one) => one.seq === Number(button.dataset.seq));
    if (turn) {
      audio.currentTime = turn.start;
      audio.play();
    }
  });
  audio.addEventListener("timeupdate", () => {
    for (const turn of marks.turns) {
      const shown = document.getElementById(`turn-${turn.seq}`);
      const now = audio.currentTime >= turn.start && audio.currentTime < turn.end;
      if (shown) shown.classList.toggle("now", now && !audio.paused);
    }
  });
});
