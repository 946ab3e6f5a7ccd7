// What a parser of Prometheus's text format makes of standard input, as JSON.
import { readFileSync } from "node:fs";
import parse from "parse-prometheus-text-format";

process.stdout.write(JSON.stringify(parse(readFileSync(0, "utf8"))));
