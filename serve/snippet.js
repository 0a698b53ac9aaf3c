// Asks the scorer from a website, and never lets the page wait for it or fail with it.
//
//   <script src="https://scorer.example/snippet.js"></script>
//   const answer = await tidegate.score(row, { fallback: 0.1, timeout: 300 });
//   if (answer.score > 0.5) …            // answer.fallback is true where the scorer did not answer
//   tidegate.outcome(answer.id, "yes");  // later, when the truth is known
//
// The address is where this file came from; `tidegate.address` and `tidegate.token` change it.
"use strict";

window.tidegate = {
  address: new URL(".", document.currentScript.src).href,
  token: "",

  // The answer to one row; after `timeout` milliseconds, or when anything fails, `fallback` as its score.
  async score(row, { fallback = null, timeout = 300 } = {}) {
    try {
      return await this.ask("score", row, { signal: AbortSignal.timeout(timeout) });
    } catch (error) {
      const why = error.name === "TimeoutError" ? `no answer within ${timeout} ms` : error.message;
      return { id: null, score: fallback, fallback: true, why };
    }
  },

  // What became of the row with that id; true once the scorer has it. Goes through although the page is left.
  async outcome(id, outcome) {
    if (!id) return false;
    try {
      await this.ask("outcome", { id, outcome }, { keepalive: true });
      return true;
    } catch {
      return false;
    }
  },

  async ask(path, body, more) {
    const headers = { "Content-Type": "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const asked = { method: "POST", headers, body: JSON.stringify(body), ...more };
    const reply = await fetch(new URL(path, this.address), asked);
    const told = await reply.json();
    if (!reply.ok) throw new Error(told.error || `status ${reply.status}`);
    return told;
  },
};
