import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Builds the page from its source to where the broker takes it from, `dist`. What is there stays: names of assets carry
 * a hash of their content, and the index is put in its place at once, so a build that runs beside this one does no harm.
 */
export async function buildPage(): Promise<void> {
  const fresh = await mkdtemp(join(tmpdir(), "mon-page-"));
  try {
    await build({ root, logLevel: "error", build: { outDir: fresh, emptyOutDir: true } });
    const dist = join(root, "dist");
    await cp(join(fresh, "assets"), join(dist, "assets"), { recursive: true });
    const placed = join(dist, `index.${process.pid}.html`);
    await cp(join(fresh, "index.html"), placed);
    await rename(placed, join(dist, "index.html"));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
