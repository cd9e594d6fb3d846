import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".map": "application/json",
  ".webmanifest": "application/manifest+json",
};

/** A file of the page. */
interface Asset {
  readonly body: Buffer;
  readonly contentType: string;
  /** Names of built assets carry a hash of their content. */
  readonly isImmutable: boolean;
}

/** The web page: files that were built once, held in memory. A request can reach no other file. */
export class Page {
  readonly #assets: ReadonlyMap<string, Asset>;

  private constructor(assets: ReadonlyMap<string, Asset>) {
    this.#assets = assets;
  }

  /** Reads the files below a directory; a directory that is not there makes an empty page. */
  static async load(directory: string): Promise<Page> {
    const assets = new Map<string, Asset>();
    const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw error;
      },
    );
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const path = `/${relative(directory, file).split(sep).join("/")}`;
      assets.set(path, {
        body: await readFile(file),
        contentType: contentTypes[extname(file)] ?? "application/octet-stream",
        isImmutable: path.startsWith("/assets/"),
      });
    }
    return new Page(assets);
  }

  /** @returns whether there is such a file */
  serve(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const asset = this.#assets.get(path === "/" ? "/index.html" : path);
    if (asset === undefined) return false;
    response.writeHead(200, {
      "content-type": asset.contentType,
      "content-length": asset.body.length,
      "cache-control": asset.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    });
    response.end(request.method === "HEAD" ? undefined : asset.body);
    return true;
  }
}
