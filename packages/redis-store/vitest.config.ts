import { defineTests } from "../../tools/build/define-tests.ts";

export default defineTests({
  // Deployments of a dozen processes start in here, on machines that do other things as well.
  testTimeout: 30_000,
  hookTimeout: 60_000,
});
