import { writeFileSync } from "node:fs";
import { createVectors, printVectors } from "./vectors.ts";

writeFileSync(new URL("fixtures/vectors.json", import.meta.url), printVectors(createVectors()));
