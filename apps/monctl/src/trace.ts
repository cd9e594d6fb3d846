import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Interceptor, StreamResponse, UnaryResponse } from "@connectrpc/connect";
import { printable } from "./text.ts";

/** The longest message that a trace shows whole, in characters of JSON. */
const messageCharsMax = 2_000;

/**
 * Writes each call and each message of it as a line: `> service/method request`, `< response`, `= outcome, duration`.
 *
 * @param write - takes a line without its end
 * @param now - milliseconds of a clock
 */
export function traceInterceptor(write: (line: string) => void, now: () => number): Interceptor {
  return (next) => async (request) => {
    const startMs = now();
    const call = `${request.service.typeName}/${request.method.name}`;
    const finish = (outcome: string): void => write(`= ${call} ${outcome}, ${Math.round(now() - startMs)}ms`);
    if (!request.stream) write(`> ${call} ${messageText(request.method.input, request.message)}`);
    else write(`> ${call}`);
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: traceStream(response, write, finish) };
      write(`< ${messageText(response.method.output, response.message)}`);
      finish("ok");
      return response satisfies UnaryResponse;
    } catch (error) {
      finish(printable(String(error)));
      throw error;
    }
  };
}

async function* traceStream(
  response: StreamResponse,
  write: (line: string) => void,
  finish: (outcome: string) => void,
): StreamResponse["message"] {
  try {
    for await (const message of response.message) {
      write(`< ${messageText(response.method.output, message)}`);
      yield message;
    }
    finish("ok");
  } catch (error) {
    finish(printable(String(error)));
    throw error;
  }
}

function messageText<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): string {
  const text = JSON.stringify(toJson(schema, message));
  return text.length <= messageCharsMax
    ? text
    : `${text.slice(0, messageCharsMax)}… (${text.length} characters)`;
}
