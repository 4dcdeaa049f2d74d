// Sends the try-it form without leaving the page: the same answer, and only its part is redrawn.

async function send(event) {
  const form = event.target.closest("form[data-try]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("form[data-try]");
    if (!fresh) { form.submit(); return; }
    form.replaceChildren(...fresh.childNodes);
    const wrong = form.querySelector("[aria-invalid=true]");
    (wrong ?? form.querySelector("button[type=submit]")).focus({ preventScroll: !wrong });
  } catch {
    form.submit();
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("submit", send);
