// What a website does with the snippet; `?row=…&timeout=…&fallback=…&address=…` asks at once.
"use strict";

const field = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);

for (const [id, name] of [["json", "row"], ["timeout", "timeout"], ["fallback", "fallback"]]) {
  if (wanted.has(name)) field(id).value = wanted.get(name);
}

field("asking").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});

async function ask() {
  let row;
  try {
    row = JSON.parse(field("json").value);
  } catch (error) {
    show("bad", `The row is not JSON: ${error.message}`);
    return;
  }
  const fallback = Number(field("fallback").value);
  tidegate.token = field("token").value;
  const answer = await tidegate.score(row, { fallback, timeout: Number(field("timeout").value) });
  if (answer.fallback) show("bad", `Score ${answer.score}, fallen back on: ${answer.why}`);
  else show("good", `Score ${answer.score}, from ${answer.version}`);
}

function show(kind, words) {
  field("result").className = `note ${kind}`;
  field("result").textContent = words;
}

// A row to begin with, from what the scorer says of itself.
async function fill() {
  try {
    const described = await (await fetch(new URL("openapi.json", tidegate.address))).json();
    const { example } = described.paths["/score"].post.requestBody.content["application/json"];
    if (example && field("json").value === "{}") field("json").value = JSON.stringify(example);
  } catch {
    // Then somebody types one.
  }
}

if (wanted.has("row")) ask();
else fill();
