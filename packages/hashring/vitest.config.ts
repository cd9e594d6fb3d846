import { defineTests } from "../../tools/build/define-tests.ts";

export default defineTests({
  // Nothing here leaves anything behind, so that files can share what they import.
  isolate: false,
  // The long property runs of `test:full` take minutes.
  testTimeout: process.env.MON_TEST === "full" ? 3_600_000 : 60_000,
});
