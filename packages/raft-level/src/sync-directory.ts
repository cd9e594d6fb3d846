import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Makes the entries of a directory durable, where the system has that. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows has no such thing.
  if (process.platform === "win32") return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
