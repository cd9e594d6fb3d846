/** Writes fixtures/chunks.json anew. Bytes that change mean another format, and so another version. */
import { writeFileSync } from "node:fs";
import { makeGoldenChunks } from "./support/golden-chunks.ts";

writeFileSync(new URL("fixtures/chunks.json", import.meta.url), `${JSON.stringify(makeGoldenChunks())}\n`);
