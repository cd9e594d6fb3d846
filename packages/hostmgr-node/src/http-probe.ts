import http from "node:http";
import https from "node:https";
import { bodyBytesMax, type HttpReading } from "@mon/hostmgr";
import { HostIoError } from "./errors.ts";

/** Bytes of a header that are read. */
const headerBytesMax = 8_192;

/**
 * GETs a URL from an address. No redirect is followed, no connection kept, no more read than {@link bodyBytesMax} of the body.
 *
 * @throws {HostIoError} HOST_IO_NO_ANSWER, HOST_IO_BAD_ANSWER; or the signal's reason
 */
export function getOnce(url: URL, address: string, signal: AbortSignal): Promise<HttpReading> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const isTls = url.protocol === "https:";
    const name = url.hostname.replace(/^\[|\]$/g, "");
    const request = (isTls ? https : http).request({
      // The address that was looked at, and the name as it was asked for.
      host: address,
      port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      method: "GET",
      headers: { host: url.host, "user-agent": "mon", accept: "*/*", "accept-encoding": "identity" },
      agent: false,
      maxHeaderSize: headerBytesMax,
      ...(isTls && name !== address ? { servername: name } : {}),
    });
    const end = (): void => {
      signal.removeEventListener("abort", abort);
      request.destroy();
    };
    const abort = (): void => {
      end();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    request.on("error", (error: NodeJS.ErrnoException) => {
      end();
      const isBad = error.code?.startsWith("HPE_") === true;
      reject(HostIoError.from(error, isBad ? "HOST_IO_BAD_ANSWER" : "HOST_IO_NO_ANSWER"));
    });
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      end();
      reject(new HostIoError("HOST_IO_BAD_ANSWER", "expected an answer, got another protocol"));
    });
    request.on("response", (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      const done = (): void => {
        end();
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) });
      };
      response.on("data", (chunk: Buffer) => {
        parts.push(chunk.subarray(0, bodyBytesMax - bytes));
        bytes += Math.min(chunk.length, bodyBytesMax - bytes);
        if (bytes >= bodyBytesMax) done();
      });
      response.on("end", done);
      response.on("error", (error) => {
        end();
        reject(HostIoError.from(error));
      });
    });
    request.end();
  });
}
