import { defaultClientConditions, type UserConfig } from "vite";

const config: UserConfig = {
  base: "./",
  // Siblings resolve to their source, so that no package has to be built first.
  resolve: { conditions: ["@mon/source", ...defaultClientConditions] },
  build: {
    target: "es2022",
    // Everything is a file of its own: a `data:` asset would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
};

export default config;
