// Sends the try-it form without leaving the page: the same answer, and only its part is redrawn.

async function send(event) {
  const form = event.target.closest("form[data-try]");
  if (!form) return;
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form, button));
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("form[data-try]");
    if (!fresh) { again(form, button); return; }
    form.replaceChildren(...fresh.childNodes);
    const wrong = form.querySelector("[aria-invalid=true]");
    (wrong ?? form.querySelector("button[type=submit]")).focus({ preventScroll: !wrong });
  } catch {
    again(form, button);
  } finally {
    button.disabled = false;
  }
}

function again(form, button) {
  if (button.name) form.append(Object.assign(document.createElement("input"), { type: "hidden", name: button.name, value: button.value }));
  form.submit();
}

document.addEventListener("submit", send);
