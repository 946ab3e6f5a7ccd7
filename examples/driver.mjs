#!/usr/bin/env node
// A driver for `hangup prove` and `hangup audit`: an HTTP/2 client that keeps its session, of Node's
// built-in modules, that performs HANGUP_STEPS and says how each request went.
//
//     hangup prove 01 --over h2 --expect retry-once -- node examples/driver.mjs --retry 1
//
// --retry N                repeats a request up to N times on a new connection, if that is safe: GET,
//                          POST with a key, and what the server refused
// --timeout SECONDS        gives an attempt up after that (10)
// --obey-goaway            after GOAWAY asks on a new session, and repeats there what it refused. Without
//                          it the session is used until it breaks
// --fall-back              asks over HTTP/1.1 when the server has said that it requires that
// --ping-liveness SECONDS  asks by PING, while a request waits, whether the connection is alive, and
//                          leaves it when that is not answered for as long
// --fresh-on-foreground    drops its connections when the app comes to the foreground
// --no-reuse               a connection for each request
// --h1                     HTTP/1.1 with an agent that keeps connections, instead of HTTP/2
//
// Put your own client in the place of `Http2`; the rest is what a driver does.
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const PATH = "/api/entitlement/get";
const CONTENT = '{"receipt":"MIAGCSqGSIb3"}';

const { values: options } = parseArgs({
  options: {
    retry: { type: "string", default: "0" },
    timeout: { type: "string", default: "10" },
    "ping-liveness": { type: "string" },
    "obey-goaway": { type: "boolean" },
    "fall-back": { type: "boolean" },
    "fresh-on-foreground": { type: "boolean" },
    "no-reuse": { type: "boolean" },
    h1: { type: "boolean" },
  },
});
const number = (name) => {
  if (!(Number(options[name]) >= 0)) throw new Error(`--${name}: "${options[name]}" is no number`);
  return Number(options[name]);
};
const retries = number("retry");
const timeout = number("timeout") * 1000;
const pingEvery = options["ping-liveness"] === undefined ? 0 : number("ping-liveness") * 1000;
const reuse = !options["no-reuse"];

/** One session for all requests. NODE_EXTRA_CA_CERTS has hangup's CA. */
class Http2 {
  constructor(url) {
    this.url = url;
    this.session = null;
  }

  connect() {
    const session = http2.connect(this.url.origin);
    session.waiting = 0; // requests that have no answer yet
    session.on("error", () => {}); // each stream says it, too
    session.on("goaway", (code, last) =>
      Object.assign(session, { last, requiresH1: code === http2.constants.NGHTTP2_HTTP_1_1_REQUIRED }));
    if (pingEvery) this.pingWhileWaiting(session);
    return session;
  }

  pingWhileWaiting(session) {
    let late;
    const timer = setInterval(() => {
      if (session.waiting === 0 || late) return;
      late = setTimeout(() => session.destroy(new Error("a PING was not answered")), pingEvery);
      session.ping(() => (late = clearTimeout(late)));
    }, pingEvery);
    session.on("close", () => clearInterval(timer) ?? clearTimeout(late));
  }

  current() {
    const closed = options["obey-goaway"] && this.session?.closed; // Node closes it at GOAWAY
    if (!this.session || this.session.destroyed || closed) this.session = this.connect();
    return this.session;
  }

  /** Returns the status; rejects with what went wrong, and the session in `from`. */
  async ask(method, headers, content, signal) {
    const session = reuse ? this.current() : this.connect();
    session.waiting++;
    try {
      return await this.stream(session, { ":method": method, ":path": PATH, ...headers }, content, signal);
    } catch (error) {
      throw Object.assign(error, { from: session });
    } finally {
      session.waiting--;
      if (!reuse) session.close();
    }
  }

  stream(session, headers, content, signal) {
    return new Promise((resolve, reject) => {
      const stream = session.request(headers, { signal });
      let status, whole;
      const fail = (error) => {
        const refused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM || stream.id > session.last;
        reject(Object.assign(error, { refused }));
      };
      stream.on("response", (fields) => (status = fields[":status"]));
      stream.on("end", () => (whole = !stream.aborted));
      stream.on("error", fail);
      stream.on("close", () =>
        whole && stream.rstCode === 0 ? resolve(status) : fail(new Error(`the stream was closed with ${stream.rstCode}`)));
      stream.resume().end(content);
    });
  }

  /** No new request goes to this session; those on it may finish. */
  leave(session = this.session) {
    if (session && !session.destroyed) session.close();
    if (session === this.session) this.session = null;
  }
}

/** As many connections as there are requests at once. */
class Http1 {
  constructor(url) {
    this.url = new URL(PATH, url);
    this.client = url.protocol === "https:" ? https : http;
    this.leave();
  }

  ask(method, headers, content, signal) {
    return new Promise((resolve, reject) => {
      const request = this.client.request(this.url, { method, headers, signal, agent: this.agent });
      request.on("error", reject);
      request.on("response", (response) => {
        response.on("error", reject);
        response.on("end", () => resolve(response.statusCode));
        response.resume();
      });
      request.end(content);
    });
  }

  leave() {
    for (const socket of Object.values(this.agent?.freeSockets ?? {}).flat()) socket.destroy();
    this.agent = new this.client.Agent({ keepAlive: reuse });
  }
}

const url = new URL(process.env.HANGUP_URL);
let client = options.h1 ? new Http1(url) : new Http2(url);

/** Returns the status; throws what went wrong. */
const ask = async (method, headers, content) => {
  const safe = method === "GET" || "Idempotency-Key" in headers;
  for (let retry = 0; ; retry++) {
    try {
      const status = await client.ask(method, headers, content, AbortSignal.timeout(timeout));
      if (status !== 408 || retry >= retries || !safe) return status;
      client.leave(); // 408: the server was about to close this connection
    } catch (error) {
      const fallBack = options["fall-back"] && error.from?.requiresH1;
      const most = fallBack || (error.refused && options["obey-goaway"]) ? Math.max(retries, 1) : retries;
      if (retry >= most || !(safe || error.refused)) throw error;
      client.leave(error.from);
      if (fallBack) client = new Http1(url);
    }
  }
};

const say = (line) => process.env.HANGUP_REPORT && appendFileSync(process.env.HANGUP_REPORT, JSON.stringify(line) + "\n");
let requests = 0;

const request = async (step) => {
  const n = ++requests;
  const method = step === "get" ? "GET" : "POST";
  const headers = { "Hangup-Call": String(n) }; // names the call, so that all its attempts are known
  if (method === "POST") headers["Content-Type"] = "application/json";
  if (step === "post-key") headers["Idempotency-Key"] = randomUUID();
  const begin = performance.now();
  let status = 0;
  let error = "";
  try {
    status = await ask(method, headers, method === "POST" ? CONTENT : undefined);
  } catch (trouble) {
    error = (trouble.cause ?? trouble).message;
  }
  const ms = Math.round((performance.now() - begin) * 10) / 10;
  say({ n, step, ok: status >= 200 && status < 300, status, ms, error });
};

/** The app goes to the background, or comes back. Answered before anything else is done. */
const mark = async (name) => {
  const headers = { "Content-Type": "application/json" };
  await fetch(process.env.HANGUP_MARK_URL, { method: "POST", headers, body: JSON.stringify({ mark: name }) });
  if (name === "foreground" && options["fresh-on-foreground"]) client.leave();
};

const perform = async (word) => {
  const [kind, times] = word.split("*");
  if (["get", "post", "post-key"].includes(kind))
    await Promise.all(Array.from({ length: Number(times ?? 1) }, () => request(kind)));
  else if (kind === "pause") await sleep(Number(process.env.HANGUP_PAUSE ?? 0) * 1000);
  else if (kind === "background" || kind === "foreground") await mark(kind);
  else throw new Error(`the step "${word}" is not known`);
};

say({ driver: 1 });
for (const word of (process.env.HANGUP_STEPS ?? "get get pause get").split(" ")) await perform(word);
process.exit(); // and with it all connections
