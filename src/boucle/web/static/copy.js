// Adds a copy button to each block of code. Without a script, or without a clipboard, the text is there to select.

function addButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = block.dataset.copyLabel;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = block.dataset.copiedLabel;
    setTimeout(() => { button.textContent = block.dataset.copyLabel; }, 1600);
  });
  block.append(button);
}

export function addButtons(root) {
  if (!navigator.clipboard) return; // browsers give it to secure addresses only
  for (const block of root.querySelectorAll("[data-copy]")) {
    if (!block.querySelector("button.copy")) addButton(block);
  }
}

addButtons(document);
