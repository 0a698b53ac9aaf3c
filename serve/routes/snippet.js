// Asks the scorer from a website, and never lets the page wait for it or fail with it.
//
//   <script src="https://scorer.example/snippet.js"></script>
//   const answer = await tidegate.score(row, { fallback: 0.1, timeout: 300 });
//   if (answer.score > 0.5) …            // answer.fallback is true where the scorer did not answer
//   tidegate.outcome(answer.id, "yes");  // later, when the truth is known
//
// The address is where this file came from; `tidegate.address` and `tidegate.token` change it. Why it fell
// back is in `answer.why`, and in the console: once for a time-out, each status, the network, ….
"use strict";
{
  const warned = new Set();
  const failure = (kind, words) => Object.assign(new Error(words), { kind });

  function warn(what, { kind = "other", message }) {
    if (warned.has(kind)) return;
    warned.add(kind);
    console.warn(`tidegate: ${what}: ${message}`);
  }

  // A browser asks no address with a password in it, as in http://name:password@….
  const here = new URL(".", document.currentScript?.src || location.href);
  here.username = here.password = "";

  window.tidegate = {
    address: here.href,
    token: "",

    // The answer to one row; after `timeout` milliseconds, or when anything fails, `fallback` as its score.
    async score(row, options) {
      const { fallback = null, timeout = 300 } = options || {};
      try {
        const answer = await this.ask("score", row, { signal: AbortSignal.timeout(timeout) });
        if (typeof answer?.score !== "number") throw failure("answer", "the answer has no score");
        return answer;
      } catch (error) {
        const late = error.name === "TimeoutError" || error.name === "AbortError";
        const cause = late ? failure("timeout", `no answer within ${timeout} ms`) : error;
        warn(`the score is the fallback ${fallback}`, cause);
        return { id: null, score: fallback, fallback: true, why: cause.message };
      }
    },

    // What became of the row with that id; true once the scorer has it. Goes through although the page is left.
    async outcome(id, outcome) {
      if (!id) return false;
      try {
        await this.ask("outcome", { id, outcome }, { keepalive: true });
        return true;
      } catch (error) {
        warn("an outcome was not taken", error);
        return false;
      }
    },

    async ask(path, content, more) {
      const headers = { "Content-Type": "application/json" };
      if (this.token) headers.Authorization = `Bearer ${this.token}`;
      const request = { method: "POST", headers, body: JSON.stringify(content), ...more };
      const address = new URL(path, String(this.address).replace(/\/*$/, "/"));
      let reply, text, answer;
      try {
        reply = await fetch(address, request);
        text = await reply.text();
      } catch (error) {
        if (error.name !== "TypeError") throw error; // it was too late
        throw failure("network", `no connection to ${address.origin}, or CORS (--origins) or a policy forbids it: ${error.message}`);
      }
      try {
        answer = JSON.parse(text);
      } catch {
        throw failure(reply.status, `status ${reply.status}, and not the scorer's JSON: ${text.slice(0, 100)}`);
      }
      if (!reply.ok) throw failure(reply.status, `refused with status ${reply.status}: ${answer?.error || "no reason given"}`);
      return answer;
    },
  };
}
