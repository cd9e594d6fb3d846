import { defineTests } from "../../tools/build/define-tests.ts";

// The long property runs of `test:full` take minutes.
export default defineTests({ testTimeout: process.env.MON_TEST === "full" ? 1_800_000 : 20_000 });
