/** Who a broker is. */
export interface BrokerIdentity {
  readonly brokerId: string;
  /** As semver. */
  readonly version: string;
}
