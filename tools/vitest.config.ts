import { defineTests } from "./build/define-tests.ts";

// They start nx and Biome, which take their time on a busy machine.
export default defineTests({ testTimeout: 60_000 });
