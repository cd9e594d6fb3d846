import { defineTests } from "../../tools/build/define-tests.ts";

export default defineTests({ isolate: false, testTimeout: 30_000 });
