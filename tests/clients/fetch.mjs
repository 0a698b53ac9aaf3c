// Node's fetch against a scorer: node fetch.mjs ADDRESS ROW -> a line of JSON, answers by name.
const [address, row] = process.argv.slice(2);
const json = { "Content-Type": "application/json" };

async function score(body, headers = json) {
  const answer = await fetch(`${address}/score`, { method: "POST", headers, body, duplex: "half" });
  return [answer.status, await answer.json()];
}

const pieces = () =>
  new ReadableStream({
    start(controller) {
      for (const piece of row.match(/.{1,20}/gs)) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
const packed = (format) => pieces().pipeThrough(new CompressionStream(format));

console.log(
  JSON.stringify({
    json: await score(row),
    "without a type": await score(row, {}),
    "in pieces": await score(pieces()),
    gzip: await score(packed("gzip"), { ...json, "Content-Encoding": "gzip" }),
    deflate: await score(packed("deflate"), { ...json, "Content-Encoding": "deflate" }),
    "deflate-raw": await score(packed("deflate-raw"), { ...json, "Content-Encoding": "deflate" }),
    "another coding": await score(row, { ...json, "Content-Encoding": "br" }),
    "fifty at once": (await Promise.all(Array.from({ length: 50 }, () => score(row)))).at(-1),
  }),
);
