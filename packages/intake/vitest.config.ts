import { defineTests } from "../../tools/build/define-tests.ts";

// The long property runs of `test:full` take minutes.
export default defineTests({ testTimeout: process.env.MON_TEST === "full" ? 3_600_000 : 60_000 });
