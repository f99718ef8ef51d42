// Small helps that HTML alone does not give. Nothing here makes HTML out of text.
"use strict";

function localTimes(root) {
  const form = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.dateTime;
      time.textContent = form.format(at);
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  const menu = document.querySelector(".menu");
  const wide = window.matchMedia("(min-width: 60rem)");
  const fit = () => { if (menu) menu.open = wide.matches; };
  fit();
  wide.addEventListener("change", fit);
});
document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt));
document.addEventListener("submit", (event) => {
  const asked = event.target.dataset.confirm;
  if (asked && !window.confirm(asked)) event.preventDefault();
});
// A call that was followed is over: its page now has the recording.
document.addEventListener("htmx:sseClose", (event) => {
  if (event.detail.type === "message") window.location.reload();
});
