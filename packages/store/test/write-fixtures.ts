import { writeFileSync } from "node:fs";
import { goldenFragments } from "./support/golden-fragments.ts";

writeFileSync(
  new URL("fixtures/fragments.json", import.meta.url),
  `${JSON.stringify(goldenFragments(), null, 2)}\n`,
);
