import { definePackage } from "../../tools/build/define-package.ts";

// The worker thread begins with a file of its own, beside the index.
export default definePackage(["src/index.ts", "src/chunk-worker.ts"]);
