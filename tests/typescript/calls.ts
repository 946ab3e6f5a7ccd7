// What a program does with the generated client beside the calls that are taken from the documents:
// each event is told by its name, and what is wrong does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Event = components["schemas"]["Event"];
type Problem = components["schemas"]["Problem"];

const client = createClient<paths>({ baseUrl: "http://localhost:9000" });

export function late(event: Event): number | undefined {
  switch (event.event) {
    case "fault":
      return event.late_ms;
    case "connection_end":
      return event.lifetime_ms + event.exchanges + event.connection;
    default:
      return undefined;
  }
}

export async function follow(since: number): Promise<Event[]> {
  const { data, error } = await client.GET("/v1/events", {
    params: { query: { since, wait: "5s" } },
  });
  if (error) throw new Error(why(error));
  return typeof data === "string" ? [] : data.events;
}

export function why(problem: Problem): string {
  const kind: "/problems/unknown-mode" | undefined =
    problem.type === "/problems/unknown-mode" ? problem.type : undefined;
  return [kind, problem.detail, ...(problem.did_you_mean ?? []), ...(problem.allowed ?? [])].join();
}

export async function again(): Promise<void> {
  const { data } = await client.GET("/v1/mode");
  if (data) await client.PUT("/v1/mode", { body: data });
}

// @ts-expect-error: a mode is named
await client.PUT("/v1/mode", { body: { mode: 7 } });
// @ts-expect-error: there is no such call
await client.GET("/v1/nowhere");
// @ts-expect-error: "do" is an array
await client.POST("/v1/connections/{id}/do", { params: { path: { id: 7 } }, body: { do: "rst" } });
// @ts-expect-error: a request is not late
export const none = (event: components["schemas"]["EventRequest"]) => event.late_ms;
// @ts-expect-error: there is no such kind of problem
export const other = (problem: Problem) => problem.type === "/problems/other";
