import { defineTests } from "../../tools/build/define-tests.ts";

// Most of the time goes by in other processes, or in waiting for them.
export default defineTests({ maxWorkers: 3 });
