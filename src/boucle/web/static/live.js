// While a version is being built: ask the page's JSON twin each second, and redraw what changed.
import { addButtons } from "./copy.js";

const twin = document.querySelector("main").dataset.twin;
let seen = null;

async function redraw() {
  const answer = await fetch(location.pathname + location.search);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === part.innerHTML) continue;
    const open = [...part.querySelectorAll("details")].map((item) => item.open);
    part.replaceChildren(...next.childNodes);
    part.querySelectorAll("details").forEach((item, i) => { if (open[i]) item.open = true; });
    addButtons(part);
  }
  if (!fresh.querySelector("script[src$='/live.js']")) clearInterval(timer);
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(twin, { headers: { accept: "application/json" } });
    const text = await answer.text();
    if (answer.ok && seen !== null && text !== seen) await redraw();
    if (answer.ok) seen = text;
  } catch {
    // The control plane is restarting: the next look finds it.
  }
}

const timer = setInterval(look, 1000);
