/** A bare @grpc/grpc-js server: decodes batches with protobuf-es, throws them away, and answers with their numbers. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type handleBidiStreamingCall, Server, ServerCredentials } from "@grpc/grpc-js";
import {
  type ReportRequest,
  ReportRequestSchema,
  type ReportResponse,
  ReportResponseSchema,
} from "@mon/proto";
import { tellPort } from "./door.ts";

const report: handleBidiStreamingCall<ReportRequest, ReportResponse> = (call) => {
  call.on("data", ({ sequence }: ReportRequest) => call.write(create(ReportResponseSchema, { sequence })));
  call.on("end", () => call.end());
};

const server = new Server();
server.addService(
  {
    report: {
      path: "/mon.v1.MonitorService/Report",
      requestStream: true,
      responseStream: true,
      requestDeserialize: (bytes: Buffer) => fromBinary(ReportRequestSchema, bytes),
      requestSerialize: (request: ReportRequest) => Buffer.from(toBinary(ReportRequestSchema, request)),
      responseDeserialize: (bytes: Buffer) => fromBinary(ReportResponseSchema, bytes),
      responseSerialize: (response: ReportResponse) => Buffer.from(toBinary(ReportResponseSchema, response)),
    },
  },
  { report },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  tellPort(port);
});
