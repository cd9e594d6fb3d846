import { definePackage } from "../../tools/build/define-package.ts";

export default definePackage(["src/index.ts", "src/conformance.ts", "src/testing.ts"]);
