/**
 * Twins of the hot messages, equal to them on the wire, whose reports are bytes for a scanner to read.
 *
 * @packageDocumentation
 */
export * from "./gen/mon/wire/v1/batch_pb.ts";
