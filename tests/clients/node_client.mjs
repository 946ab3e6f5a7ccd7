// What Node's own HTTP clients do with a connection that they keep.
//
//     node node_client.mjs http|http2|fetch METHOD URL GAP_MS
//
// Three requests, with a gap before the second, and before the third a moment in which a connection
// gets back to its pool. Prints one JSON line a request:
// {"outcome": "200" | "CODE: message", "reused": true | false | null}. A private authority is trusted
// by NODE_EXTRA_CA_CERTS.
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT = 5000; // ms for one request

const withHttp = (method, url) => {
  const secure = url.protocol === "https:";
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        const request = (secure ? https : http).request(url, { agent, method, timeout: LIMIT });
        const tagged = (error) => reject(Object.assign(error, { reused: request.reusedSocket }));
        request.on("timeout", () =>
          request.destroy(Object.assign(new Error("nothing came"), { code: "timeout" })));
        request.on("error", tagged);
        request.on("response", (response) => {
          response.resume();
          response.on("error", tagged);
          response.on("end", () =>
            resolve({ status: response.statusCode, reused: request.reusedSocket }));
        });
        request.end();
      }),
    close: () => agent.destroy(),
  };
};

// A session is used until it says itself that it is closed: as most code does that keeps one.
const withHttp2 = (method, url) => {
  let session = null;
  const usable = () => session && !session.closed && !session.destroyed;
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        const reused = Boolean(usable());
        if (!reused) session = http2.connect(url.origin);
        const tagged = (error) => reject(Object.assign(error, { reused }));
        session.on("error", tagged);
        const stream = session.request({ ":method": method, ":path": url.pathname });
        let status = 0;
        stream.setTimeout(LIMIT, () => stream.close(http2.constants.NGHTTP2_CANCEL));
        stream.on("response", (headers) => (status = headers[":status"]));
        stream.on("error", tagged);
        stream.on("close", () => {
          if (status) resolve({ status, reused });
          else tagged(Object.assign(new Error(`stream closed with ${stream.rstCode}`),
            { code: "no response" }));
        });
        stream.resume();
        stream.end();
      }),
    close: () => session?.destroy(),
  };
};

// The global fetch (undici) keeps connections for about 4 s. It does not tell which it used.
const withFetch = (method, url) => ({
  ask: async () => {
    const response = await fetch(url, { method, signal: AbortSignal.timeout(LIMIT) });
    await response.arrayBuffer();
    return { status: response.status, reused: null };
  },
  close: () => {},
});

const [kind, method, target, gap] = process.argv.slice(2);
const client = { http: withHttp, http2: withHttp2, fetch: withFetch }[kind](method, new URL(target));
for (let i = 0; i < 3; i++) {
  if (i > 0) await sleep(i === 1 ? Number(gap) : 50);
  try {
    const { status, reused } = await client.ask();
    console.log(JSON.stringify({ outcome: String(status), reused }));
  } catch (error) {
    const cause = error.cause ?? error;
    console.log(JSON.stringify({
      outcome: `${cause.code ?? cause.name}: ${cause.message}`,
      reused: error.reused ?? null,
    }));
  }
}
client.close();
process.exit(0);
