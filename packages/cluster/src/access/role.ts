/** What somebody may be. Each method says which of them may call it; nothing is implied by another. */
export type Role =
  /** Reports for hosts that its token names. */
  | "agent"
  /** Queries. */
  | "reader"
  /** Runs the cluster. */
  | "admin"
  /** Reads `/metrics`. */
  | "metrics"
  /** Is another broker. It comes by certificate, never by token. */
  | "peer";

/** Who may call a method. */
export type Audience = readonly Role[] | "anyone";

const agents: Audience = ["agent", "admin"];
const readers: Audience = ["reader", "admin"];
const admins: Audience = ["admin"];
const peers: Audience = ["peer"];

/** By method, `package.Service/Method`: who may call it. What is not listed, nobody may. */
export const audiences: ReadonlyMap<string, Audience> = new Map<string, Audience>([
  ["mon.v1.MonitorService/Report", agents],
  ["mon.v1.MonitorService/Push", agents],
  ["mon.v1.MonitorService/Register", agents],
  ["mon.v1.MonitorService/Heartbeat", agents],
  ["mon.v1.QueryService/QueryRange", readers],
  ["mon.v1.QueryService/QueryLatest", readers],
  ["mon.v1.QueryService/ListHosts", readers],
  ["mon.v1.QueryService/ListMetrics", readers],
  ["mon.v1.QueryService/Watch", readers],
  ["mon.v1.AdminService/Status", readers],
  ["mon.v1.AdminService/Backup", admins],
  ["mon.v1.AdminService/Restore", admins],
  ["mon.v1.AdminService/ListMembers", readers],
  ["mon.v1.AdminService/GetRing", readers],
  ["mon.v1.AdminService/GetRaftStatus", readers],
  ["mon.v1.AdminService/Leave", admins],
  ["mon.v1.AdminService/Remove", admins],
  ["mon.v1.AdminService/TransferLeadership", admins],
  // Who joins is no member yet. It shows the door the certificate of a broker, where that is not on loopback.
  ["mon.v1.PeerService/Join", "anyone"],
  ["mon.v1.PeerService/Ping", peers],
  ["mon.v1.PeerService/Forward", peers],
  ["mon.v1.RaftService/Exchange", peers],
  ["mon.v1.RaftService/InstallSnapshot", peers],
  ["grpc.health.v1.Health/Check", "anyone"],
  ["grpc.health.v1.Health/Watch", "anyone"],
  ["grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "anyone"],
]);

/** Whether somebody of a role may call a method; without a role, whether anyone may. */
export function mayCall(method: string, role: Role | undefined): boolean {
  const audience = audiences.get(method);
  if (audience === undefined) return false;
  return audience === "anyone" || (role !== undefined && audience.includes(role));
}
