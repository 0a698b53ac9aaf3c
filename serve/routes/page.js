// The status page's script: scores the row in the form, and keeps the state above it fresh.
"use strict";

const REFRESH = 10_000;
// Where this file came from: behind a proxy the page may have a path. An address with a password in it,
// as in http://name:password@…, must not be fetched, so the origin is put in front instead.
const root = location.origin + new URL(".", document.currentScript.src).pathname;
const form = document.getElementById("row");

if (form) {
  const token = document.getElementById("token"); // where rows need one
  const answer = document.getElementById("answer");
  const inputs = [...form.querySelectorAll("[data-kind]")];

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    score();
  });
  form.addEventListener("reset", () => setTimeout(() => { // when the fields have their values again
    for (const input of inputs) mark(input, "");
    show();
  }));
  form.addEventListener("input", show);
  document.getElementById("copy").addEventListener("click", copy);
  document.getElementById("curl-address").textContent = quoted(root + "score");

  async function score() {
    for (const input of [...inputs, ...(token ? [token] : [])]) mark(input, "");
    show();
    say("", "asking…");
    let reply, body;
    try {
      // Without the browser's password: refused here, it would be forgotten for the page as well.
      const request = { method: "POST", headers: headers(), body: JSON.stringify(row()), credentials: "omit" };
      reply = await fetch(root + "score", request);
      body = await reply.json();
    } catch (error) {
      say("bad", `No answer: ${reply ? `status ${reply.status}` : error.message}`);
      return;
    }
    if (reply.ok) showScore(body);
    else if (reply.status === 401 && token) ask(body);
    else refuse(body);
  }

  // What is empty is missing; what does not look like its kind is sent as it is, and refused in words.
  function row() {
    const found = {};
    for (const input of inputs) {
      const text = input.matches("select") ? input.value : input.value.trim();
      if (text === "") {
        if (input.dataset.kind !== "text") found[input.name] = null;
      } else if (input.dataset.kind === "number") {
        const number = Number(text.replace(",", "."));
        found[input.name] = Number.isFinite(number) ? number : text;
      } else if (input.dataset.kind === "boolean") found[input.name] = text === "true";
      else found[input.name] = text;
    }
    return found;
  }

  function headers() {
    const found = { "Content-Type": "application/json" };
    if (token?.value) found.Authorization = `Bearer ${token.value}`;
    return found;
  }

  function ask(body) {
    mark(token, token.value ? "It is not one that is known." : "It is missing.");
    say("bad", body.error);
    token.focus();
  }

  function showScore(body) {
    const list = document.createElement("dl");
    list.className = "answer";
    for (const [name, value] of Object.entries(body)) add(list, name, value);
    say("good", "", list);
  }

  function add(list, name, value) {
    if (value !== null && typeof value === "object") {
      for (const [inner, each] of Object.entries(value)) add(list, `${name}: ${inner}`, each);
      return;
    }
    const pair = document.createElement("div");
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = name;
    description.textContent = typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
    if (name === "score") pair.className = "first";
    pair.append(term, description);
    list.append(pair);
  }

  function refuse(body) {
    const problems = body.problems || [];
    let first;
    for (const problem of problems) {
      const input = inputs.find((one) => one.name === problem.field);
      if (!input) continue;
      mark(input, `Expected ${problem.expected}; got ${problem.got}.`);
      first = first || input;
    }
    const list = document.createElement("ul");
    for (const problem of problems) {
      const item = document.createElement("li");
      item.textContent = `${problem.field}: expected ${problem.expected}, got ${problem.got}`;
      list.append(item);
    }
    say("bad", body.detail || "It was refused.", list);
    if (first) first.focus();
  }

  function mark(input, words) {
    input.toggleAttribute("aria-invalid", words !== "");
    if (words) input.setAttribute("aria-invalid", "true");
    const [, wrong] = input.getAttribute("aria-describedby").split(" ");
    document.getElementById(wrong).textContent = words;
  }

  function say(kind, words, more) {
    const head = document.createElement("p");
    head.textContent = words;
    answer.className = kind ? `note ${kind}` : "";
    answer.replaceChildren(...(words ? [head] : []), ...(more ? [more] : []));
  }

  function show() {
    document.getElementById("curl-row").textContent = quoted(JSON.stringify(row()));
    document.getElementById("copied").textContent = "";
  }

  function quoted(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
  }

  async function copy() {
    let words = "Copied.";
    try {
      await navigator.clipboard.writeText(document.getElementById("curl-line").textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById("curl-line"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      words = "Selected; press Ctrl+C or ⌘C.";
    }
    document.getElementById("copied").textContent = words;
  }
}

async function refresh() {
  if (document.hidden) return;
  const stale = (words) => (document.getElementById("stale").textContent = words);
  try {
    const reply = await fetch(root, { signal: AbortSignal.timeout(REFRESH / 2) });
    if (!reply.ok) throw new Error(String(reply.status));
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("now");
    const before = document.getElementById("now");
    const changed = fresh.dataset.version !== before.dataset.version;
    before.replaceWith(fresh);
    if (changed) stale("Another model is live now; reload for its form.");
  } catch {
    stale("The server does not answer; this state is old.");
  }
}

setInterval(refresh, REFRESH);
