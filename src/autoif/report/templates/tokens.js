// Token pictures: an answer is a list box of its tokens; the one that is pointed at or chosen is told below it.

/** What both models think of one token, as a row each. */
function told([label, difference, policy, reference]) {
  const row = (name, [logprob, rank, best]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "right" }, logprob), make("td", { class: "right" }, String(rank)), make("td", {}, ...best.map((text) => make("code", { class: "token" }, text))));
  const head = make("tr", {}, ...["", "log p", "rank", "likeliest"].map((name) => make(name ? "th" : "td", name ? { scope: "col" } : {}, name)));
  return make("table", {}, make("caption", {}, make("code", { class: "token" }, label), ` ${difference}`), make("thead", {}, head), make("tbody", {}, row("policy", policy), row("reference", reference)));
}

/** Makes one answer readable by pointer, finger and keyboard. */
function picture(box) {
  const [number, side] = box.dataset.answer.split(" ").map(Number);
  const spans = data.pictures[number][side];
  const panel = box.nextElementSibling;
  let at = -1;
  let seen = -1;
  const see = (place) => {
    if (place === seen || !spans[place]) return;
    box.children[seen]?.classList.remove("seen");
    box.children[place].classList.add("seen");
    panel.replaceChildren(...spans[place][2].map(told));
    seen = place;
  };
  const choose = (place) => {
    at = Math.max(0, Math.min(spans.length - 1, place));
    for (const old of box.querySelectorAll("[aria-selected=true]")) old.setAttribute("aria-selected", "false");
    const token = box.children[at];
    token.setAttribute("aria-selected", "true");
    box.setAttribute("aria-activedescendant", token.id);
    token.scrollIntoView({ block: "nearest" });
    see(at);
  };
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-label", "Tokens of the answer");
  for (const [i, token] of [...box.children].entries()) {
    token.id = `t${number}-${side}-${i}`;
    token.setAttribute("role", "option");
    token.setAttribute("aria-selected", "false");
    token.setAttribute("aria-label", `${spans[i][0]} ${spans[i][1]}`);
  }
  const place = (event) => [...box.children].indexOf(event.target);
  panel.textContent = "Point at a token for its numbers.";
  box.addEventListener("pointerover", (event) => see(place(event)));
  box.addEventListener("pointerleave", () => see(at));
  box.addEventListener("click", (event) => place(event) >= 0 && choose(place(event)));
  box.addEventListener("focus", () => at < 0 && box.matches(":focus-visible") && choose(0));
  box.addEventListener("keydown", (event) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + 10, ArrowUp: at - 10, Home: 0, End: spans.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(to);
  });
}

for (const box of document.querySelectorAll("[data-answer]")) picture(box);
