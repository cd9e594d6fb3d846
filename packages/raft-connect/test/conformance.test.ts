import { transportConformance } from "@mon/raft/conformance";
import { type Addresses, openSite, type Site } from "./support.ts";

let sites: Site[];

transportConformance("ConnectTransport over real sockets", {
  create: async () => {
    const addresses: Addresses = new Map();
    const [a, b, c] = [
      await openSite("a", addresses),
      await openSite("b", addresses),
      await openSite("c", addresses),
    ];
    sites = [a, b, c];
    return { a: a.transport, b: b.transport, c: c.transport };
  },
  destroy: async () => {
    for (const site of sites) await site.close();
  },
});
