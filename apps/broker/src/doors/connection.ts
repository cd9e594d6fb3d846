import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { ByteBudget } from "@mon/intake";

/** What calls of one connection share, and what is known of the call itself. */
export interface Connection {
  /** Bytes of this connection that are under way. */
  readonly budget: ByteBudget;
  /** To be called when a whole message of the call has arrived; see {@link MessageProgress}. */
  messageArrived(): void;
}

/** The connection that a call came by. */
export const connectionKey: ContextKey<Connection> = createContextKey<Connection>(
  { budget: new ByteBudget(1), messageArrived() {} },
  { description: "the connection that a call came by" },
);
