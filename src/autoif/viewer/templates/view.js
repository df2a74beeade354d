// Keeps the counts of a run that is going on up to date, and leaves what is being read where it is.
"use strict";

const PAUSE = 3000;
// What is parsed here is a page of this server, in which every text is escaped.
const policy = globalThis.trustedTypes?.createPolicy("view", { createHTML: (text) => text }) ?? { createHTML: (text) => text };

const busy = (node) => node.contains(document.activeElement) || (!getSelection().isCollapsed && getSelection().containsNode(node, true));

function update(fresh) {
  for (const old of document.querySelectorAll("[data-swap]")) {
    const now = fresh.getElementById(old.id);
    if (now && now.innerHTML !== old.innerHTML && !busy(old)) old.replaceWith(document.adoptNode(now));
  }
  for (const list of document.querySelectorAll("[data-grow]")) {
    const now = fresh.getElementById(list.id);
    const moved = list.children.length > 0 && now?.dataset.version !== list.dataset.version;
    document.getElementById("moved").hidden = !moved;
    if (now && !moved) list.append(...[...now.children].slice(list.children.length));
  }
  document.body.toggleAttribute("data-live", fresh.body.hasAttribute("data-live"));
  reach();
}

async function refresh() {
  if (!document.hidden) {
    const answer = await fetch(location.href).catch(() => undefined);
    if (answer?.ok) update(new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html"));
    if (answer?.status === 404) location.reload();
  }
  wait();
}

function wait() {
  if (document.body.hasAttribute("data-live")) setTimeout(refresh, PAUSE);
}

/** Text that is cut off at a height can be scrolled by keyboard. */
function reach() {
  for (const box of document.querySelectorAll(".text")) if (box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
}

addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, select") && document.querySelector("[name=find]")) {
    event.preventDefault();
    document.querySelector("[name=find]").focus();
  }
});
reach();
wait();
