import { definePackage } from "../../tools/build/define-package.ts";

// Worker threads begin with files of their own, beside the index.
export default definePackage(["src/index.ts", "src/chunk-worker.ts", "src/decode-worker.ts"]);
