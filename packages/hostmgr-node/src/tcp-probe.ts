import net from "node:net";
import { HostIoError } from "./errors.ts";

/** Connects and lets go. @throws {HostIoError} HOST_IO_NO_ANSWER; or the signal's reason */
export function connectOnce(address: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = net.connect({ host: address, port });
    const end = (): void => {
      signal.removeEventListener("abort", abort);
      // A reset leaves nothing behind on either side; a close would leave TIME_WAIT on ours, thousands of them.
      socket.resetAndDestroy();
    };
    const abort = (): void => {
      end();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => {
      end();
      resolve();
    });
    socket.on("error", (error) => {
      end();
      reject(HostIoError.from(error));
    });
  });
}
