/**
 * Parts to test programs and stores of this package with.
 *
 * @packageDocumentation
 */
export { LogImage } from "./memory/log-image.ts";
