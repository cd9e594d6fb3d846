/** Where a value can come from, the strongest first. */
export const origins = ["flag", "environment", "file", "default"] as const;

/** The layer that a value came from. */
export type Origin = (typeof origins)[number];

/** A key's effective value and where it came from. */
export interface Setting {
  /** Full path of the key, as `listen.grpcPort`. */
  readonly path: string;
  /** The effective value; `"<redacted>"` for a secret that is set, so that settings may be shown. */
  readonly value: unknown;
  readonly origin: Origin;
  /** Where exactly: `--listen`, `--set listen.address`, `MON_LISTEN_ADDRESS`, `mon.yaml:12`, `default`. */
  readonly source: string;
}
