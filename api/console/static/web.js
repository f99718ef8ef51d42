// Calls an agent from the page, listens in on a call, and passes words and keys on to it. Whatever
// is told stands there as text.
"use strict";

async function send(path, fields) {
  const headers = { Accept: "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: new URLSearchParams(fields) });
  if (answer.url.endsWith("/sign-in")) throw new Error("You are signed out. Sign in again.");
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.detail ?? `The server answered ${answer.status}.`);
}

async function openMicrophone() {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers let only pages of https:// or of localhost use the microphone.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(`There is no microphone to speak into: ${error.message}`);
  }
}

async function gathered(peer) {
  const offer = await peer.createOffer();
  // Chromium plays Opus in stereo only where its own description says so (RFC 7587, 6.1).
  const sdp = offer.sdp.replace("useinbandfec=1", "useinbandfec=1;stereo=1");
  await peer.setLocalDescription({ type: "offer", sdp });
  await new Promise((done) => {
    const look = () => peer.iceGatheringState === "complete" && done();
    peer.addEventListener("icegatheringstatechange", look);
    look();
  });
  return peer.localDescription.sdp;
}

// One form with a line of audio: `data-line` is `speak`, or `listen` where nobody hears the page.
function line(form) {
  const [start, stop, link, audio, told] = ["start", "stop", "link", "heard", "told"].map((name) =>
    form.querySelector(`.${name}`),
  );
  let peer = null;
  let microphone = null;

  function end(text) {
    peer?.close();
    microphone?.getTracks().forEach((track) => track.stop());
    peer = microphone = null;
    start.hidden = false;
    stop.hidden = true;
    told.textContent = text;
  }

  async function begin() {
    const mine = new RTCPeerConnection();
    const over = (text) => peer === mine && end(text);
    peer = mine;
    start.hidden = true;
    stop.hidden = false;
    told.textContent = "Connecting…";
    if (link) link.hidden = true;
    mine.ontrack = ({ streams, track }) => {
      audio.srcObject = streams[0] ?? new MediaStream([track]);
      audio.play().catch((error) => { told.textContent = `Nothing is played: ${error.message}`; });
    };
    mine.onconnectionstatechange = () => {
      if (mine.connectionState === "connected") told.textContent = "Connected.";
      if (mine.connectionState === "failed") over("The connection is lost.");
    };
    try {
      if (form.dataset.line === "speak") {
        const opened = await openMicrophone();
        if (peer !== mine) return opened.getTracks().forEach((track) => track.stop());
        microphone = opened;
        mine.addTrack(microphone.getAudioTracks()[0], microphone);
      } else {
        mine.addTransceiver("audio", { direction: "recvonly" });
      }
      const fields = { ...Object.fromEntries(new FormData(form)), sdp: await gathered(mine) };
      const { type, sdp, page } = await (await send(form.action, fields)).json();
      await mine.setRemoteDescription({ type, sdp });
      const { transport } = mine.getReceivers()[0];
      transport.addEventListener("statechange", () => transport.state === "closed" && over("It is over."));
      if (link) {
        link.href = page;
        link.hidden = false;
      }
    } catch (error) {
      over(error.message);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (peer === null) begin();
  });
  stop.addEventListener("click", () => end("It is over."));
  form.hidden = false;
}

// A form that leaves the page as it is: an audio line of it goes on.
function control(form) {
  const told = form.querySelector(".told");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    told.textContent = "…";
    try {
      await send(form.action, new FormData(form));
      told.textContent = "It is passed on.";
      form.reset();
    } catch (error) {
      told.textContent = error.message;
    }
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("form[data-line]").forEach(line);
  document.querySelectorAll("form[data-control]").forEach(control);
});
