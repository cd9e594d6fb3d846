import { defineTests } from "../../tools/build/define-tests.ts";

// A first chunk waits for the worker thread to load, which takes seconds on a machine that is busy.
export default defineTests({ testTimeout: 30_000 });
