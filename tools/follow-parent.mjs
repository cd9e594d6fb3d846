/**
 * Preloaded into apps that a script starts: when the script is gone, even by SIGKILL, the app gets a SIGTERM and drains.
 * The channel is unreferenced, so it does not keep the app alive.
 */
import process from "node:process";

process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref();
