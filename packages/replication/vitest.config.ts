import { defineTests } from "../../tools/build/define-tests.ts";

export default defineTests({ testTimeout: 60_000 });
